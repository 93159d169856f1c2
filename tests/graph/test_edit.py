from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import built_models, models, running
from tflite_eq import quantize
from tflite_eq.graph import compact, edit, properties, schema
from tflite_eq.graph.model import Graph


def without_biases(model: bytes, as_minus_one: bool) -> bytes:
    """The network without the biases that TFLite does not insist on."""
    parsed = schema.parse(model)
    graph = Graph(parsed)
    for operator in graph.operators:
        if properties.linear_kind(operator) is None or operator.kind == "CONV_2D":
            continue
        stored = parsed.subgraphs[0].operators[operator.index]
        kept = list(operator.inputs[:-1])
        stored.inputs = [*kept, -1] if as_minus_one else kept
    compact.drop_unused_tensors(parsed.subgraphs[0], parsed)
    return schema.serialize(parsed)


@pytest.mark.parametrize(
    ("name", "as_minus_one"),
    [
        ("dense_net", True),
        ("dense_net", False),
        ("depthwise_net", False),
        ("transpose_conv_net", True),
        ("transpose_conv_net", False),
    ],
)
def test_missing_biases_are_filled_in_and_corrected(name: str, as_minus_one: bool) -> None:
    model = without_biases(models.build(name), as_minus_one)
    exact = running.run(model, models.data(name)[0])
    filled = edit.with_biases(Graph.from_bytes(model))
    for operator in filled.operators:
        if properties.linear_kind(operator) is not None:
            bias = filled.constant(properties.linear_inputs(operator)[2])
            assert operator.kind == "CONV_2D" or not bias.any()
    np.testing.assert_array_equal(
        running.run(schema.serialize(filled.model), models.data(name)[0])[0], exact[0]
    )
    result = quantize(model, models.data(name))
    assert any(layer.bias_correction for layer in result.calibration.layers)
    found = running.run(result.model, models.data(name)[0])[0]
    assert running.sqnr_db(exact[0], found) > 25


def test_present_biases_are_left_alone() -> None:
    graph = Graph.from_bytes(models.conv_net())
    assert edit.with_biases(graph) is graph


def test_every_tensor_can_be_an_output() -> None:
    graph = Graph.from_bytes(models.keras_net())
    data = models.data("keras_net")[0]
    whole = edit.with_all_tensors_as_outputs(graph)
    assert not Graph.from_bytes(whole).model.signatureDefs  # it would name too few outputs
    everything = running.run(whole, data)
    assert len(everything) == len(edit.computed_tensors(graph))
    position = edit.computed_tensors(graph).index(graph.outputs[0])
    np.testing.assert_array_equal(everything[position], running.run(models.keras_net(), data)[0])
    # The network itself is as before.
    assert graph.model.signatureDefs
    assert list(graph.subgraph.outputs) == list(graph.outputs)


def test_single_operator_keeps_its_constants_only() -> None:
    graph = Graph.from_bytes(models.conv_net())
    model, feeds = edit.single_operator_model(graph, graph.operators[2])
    alone = Graph.from_bytes(model)
    assert [o.kind for o in alone.operators] == ["CONV_2D"]
    assert feeds == [graph.operators[2].inputs[0]]
    assert len(alone.tensors) == 4
    np.testing.assert_array_equal(
        alone.constant(alone.operators[0].inputs[1]), graph.constant(graph.operators[2].inputs[1])
    )


def test_unused_tensors_and_buffers_are_dropped_and_the_rest_still_fits() -> None:
    model = schema.parse(models.keras_net())
    buffer = schema.schema().BufferT()
    buffer.data = np.zeros(1000, np.uint8)
    model.buffers.insert(1, buffer)
    for tensor in model.subgraphs[0].tensors:
        tensor.buffer += tensor.buffer > 0
    for entry in model.metadata:
        entry.buffer += 1
    spare: Any = schema.schema().TensorT()
    spare.name, spare.shape, spare.buffer = b"spare", np.array([250], np.int32), 1
    model.subgraphs[0].tensors.insert(0, spare)
    subgraph = model.subgraphs[0]
    for operator in subgraph.operators:
        operator.inputs = [int(i) + 1 if i >= 0 else -1 for i in operator.inputs]
        operator.outputs = [int(i) + 1 for i in operator.outputs]
    subgraph.inputs = [int(i) + 1 for i in subgraph.inputs]
    subgraph.outputs = [int(i) + 1 for i in subgraph.outputs]
    for definition in model.signatureDefs:
        for entry in [*definition.inputs, *definition.outputs]:
            entry.tensorIndex += 1

    compact.drop_unused_tensors(subgraph, model)
    compact.drop_unused_buffers(model)
    assert b"spare" not in [t.name for t in subgraph.tensors]
    assert max(len(b.data) for b in model.buffers if b.data is not None) < 1000 * 8
    assert buffer not in model.buffers
    data = models.data("keras_net")[0]
    before, after = (running.run(m, data)[0] for m in (models.keras_net(), schema.serialize(model)))
    np.testing.assert_array_equal(before, after)
    assert int(model.signatureDefs[0].inputs[0].tensorIndex) == int(subgraph.inputs[0])


def test_operators_that_no_output_depends_on_are_left_out() -> None:
    net = built_models.NetworkBuilder(1, 6, 6, 2)
    kept = net.conv(net.input, 4)
    net.dense(net.spatial("MEAN", net.elementwise("TANH", kept)), 3)
    graph = Graph.from_bytes(net.finished(net.elementwise("RELU", kept)))
    assert len(graph.operators) == 5
    found = edit.without_dead_ends(graph)
    assert [operator.kind for operator in found.operators] == ["CONV_2D", "RELU"]
    assert found.outputs == graph.outputs
    assert edit.without_dead_ends(found) is found
