"""Real values and codes of the same tensor: ends, float islands, requantization."""

from __future__ import annotations

import numpy as np
import pytest

from tests import running
from tests.writing import records
from tests.writing.records import image, image_net, kinds, types, written
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import available_runtimes

TYPES = ["float32", "int8", "uint8"]


def runs_close_to(data: bytes, graph: Graph, within: float = 0.15) -> None:
    """The written network computes what the float one does, on every runtime."""
    model = schema.serialize(graph.model)
    [sample] = image()
    for runtime in available_runtimes():
        exact, found = (running.run(m, [sample], runtime=runtime) for m in (data, model))
        assert len(exact) == len(found)
        for one, other in zip(exact, found):
            np.testing.assert_allclose(other, one, atol=within)


@pytest.mark.parametrize("input_type", TYPES)
def test_input_that_both_forms_are_read_of(input_type: str) -> None:
    net = image_net()
    island = net.elementwise("SIN", net.input)
    data = net.finished(net.conv(net.input, 4), net.conv(island, 4))
    graph = written(data, {0}, input_type)
    assert types(graph, graph.inputs) == [input_type.upper()]
    [sine] = [o for o in graph.operators if o.kind == "SIN"]
    assert types(graph, [*sine.inputs, *sine.outputs]) == ["FLOAT32", "FLOAT32"]
    convolutions = [o for o in graph.operators if o.kind == "CONV_2D"]
    assert {types(graph, o.inputs[:1])[0] for o in convolutions} == {"INT8"}
    conversions = {"float32": ["QUANTIZE"], "int8": ["DEQUANTIZE"]}
    before = conversions.get(input_type, ["QUANTIZE", "DEQUANTIZE"])
    assert [k for k in kinds(graph)[: kinds(graph).index("SIN")] if k in before] == (
        before if input_type != "float32" else []
    )
    if input_type == "float32":
        assert sine.inputs == graph.inputs
        runs_close_to(data, graph)


@pytest.mark.parametrize("output_type", TYPES)
def test_output_that_is_read_as_well(output_type: str) -> None:
    """By an operator on codes and by one in float: one DEQUANTIZE for island and output."""
    net = image_net()
    x = net.conv(net.input, 4)
    sine = net.elementwise("SIN", x)
    data = net.finished(x, net.conv(x, 4), sine)
    graph = written(data, {1}, output_type=output_type)
    first, second, island = graph.outputs
    assert types(graph, [first, second]) == [output_type.upper()] * 2
    assert types(graph, [island]) == ["FLOAT32"]  # not quantized: stays as it is
    before = Graph.from_bytes(data)
    names = [before.tensors[i].name for i in before.outputs]
    assert [graph.tensors[i].name for i in graph.outputs] == names
    producer = graph.producer(first)
    assert producer is not None
    if output_type == "int8":
        assert producer.kind == "CONV_2D"
    else:
        assert graph.tensors[producer.inputs[0]].name == f"{names[0]}1"
    readers = [graph.producer(o.inputs[0]) for o in graph.operators if o.kind == "SIN"]
    assert [reader.kind for reader in readers if reader] == ["DEQUANTIZE"]
    assert kinds(graph).count("DEQUANTIZE") == {"float32": 2, "int8": 1, "uint8": 1}[output_type]
    if output_type == "float32":
        runs_close_to(data, graph)


@pytest.mark.parametrize("output_type", TYPES)
def test_output_that_is_named_twice(output_type: str) -> None:
    net = image_net()
    x = net.conv(net.input, 4)
    graph = written(net.finished(x, x), output_type=output_type)
    assert len(graph.outputs) == 2
    assert len(set(graph.outputs)) == 1
    assert kinds(graph).count("DEQUANTIZE") == (output_type == "float32")


@pytest.mark.parametrize("input_type", TYPES)
@pytest.mark.parametrize("output_type", TYPES)
def test_input_that_is_an_output(input_type: str, output_type: str) -> None:
    net = image_net()
    data = net.finished(net.input, net.conv(net.input, 4))
    graph = written(data, frozenset(), input_type, output_type)
    assert types(graph, graph.inputs) == [input_type.upper()]
    if input_type == "float32":  # nothing has quantized it
        assert graph.outputs[0] == graph.inputs[0]
    else:
        assert types(graph, graph.outputs[:1]) == [output_type.upper()]
    model = schema.serialize(graph.model)
    for runtime in available_runtimes():
        interpreter = runtime.interpreter(model)
        interpreter.allocate_tensors()
        interpreter.invoke()


def test_integer_tensors_stay_as_they_are() -> None:
    net = image_net()
    data = net.finished(net.spatial("MEAN", net.conv(net.input, 4)))
    graph = written(data)
    [mean] = [o for o in graph.operators if o.kind == "MEAN"]
    assert types(graph, mean.inputs) == ["INT8", "INT32"]
    assert graph.constant(mean.inputs[1]).tolist() == [1, 2]


def test_codes_of_another_scale_are_requantized_for_operators_that_pass_codes_on() -> None:
    net = image_net()
    x, y = net.conv(net.input, 4), net.conv(net.input, 4)
    largest = net.elementwise("MAXIMUM", x, y)
    data = net.finished(largest, net.conv(y, 4))
    graph = written(data, scales={x: 0.04})
    [maximum] = [o for o in graph.operators if o.kind == "MAXIMUM"]
    parameters = {
        float(running.parameters(graph, i)[0][0]) for i in (*maximum.inputs, *maximum.outputs)
    }
    assert parameters == {float(np.float32(records.SCALE))}
    requantize = graph.producer(maximum.inputs[0])
    assert requantize is not None
    assert requantize.kind == "QUANTIZE"
    assert running.parameters(graph, requantize.inputs[0])[0] == np.float32(0.04)
    runs_close_to(data, graph)


def test_results_under_different_scales_are_requantized() -> None:
    """Of an operator with several results, whose kernel gives all of them the first one's."""
    net = image_net()
    parts = net.split(net.conv(net.input, 4), 2)
    data = net.finished(*parts)
    graph = written(data, scales={parts[1]: 0.03})
    [split] = [o for o in graph.operators if o.kind == "SPLIT"]
    scales = [running.parameters(graph, i)[0] for i in (*split.inputs[1:], *split.outputs)]
    assert len({float(scale[0]) for scale in scales}) == 1
    ends = [graph.producer(graph.producer(i).inputs[0]) for i in graph.outputs]  # type: ignore[union-attr]
    assert [end.kind for end in ends if end] == ["SPLIT", "QUANTIZE"]
    runs_close_to(data, graph)


def test_shape_is_read_of_whatever_is_there() -> None:
    net = image_net()
    x = net.conv(net.input, 4)
    data = net.finished(net.shape(x), net.shape(net.elementwise("SIN", net.input)), x)
    graph = written(data, {2})
    shapes = [o for o in graph.operators if o.kind == "SHAPE"]
    assert [types(graph, o.inputs)[0] for o in shapes] == ["INT8", "FLOAT32"]
    assert kinds(graph).count("DEQUANTIZE") == 1  # of the output


def test_activation_of_its_own_behind_a_convolution() -> None:
    net = image_net()
    data = net.finished(net.elementwise("RELU", net.conv(net.input, 4)))
    graph = written(data)
    assert kinds(graph) == ["QUANTIZE", "CONV_2D", "RELU", "DEQUANTIZE"]
    runs_close_to(data, graph)


@pytest.mark.parametrize("absent", [False, True])
def test_dense_layer_whose_filter_is_computed(absent: bool) -> None:
    net = image_net()
    x, y = (net.spatial("MEAN", net.conv(net.input, 4)) for _ in range(2))
    bias = -1 if absent else net.constant(np.array([0.3], np.float32))
    data = net.finished(net.dense_of(x, y, bias))
    graph = written(data)
    [dense] = [o for o in graph.operators if o.kind == "FULLY_CONNECTED"]
    assert types(graph, dense.inputs[:2]) == ["INT8", "INT8"]
    if absent:
        assert dense.inputs[2] == -1
    else:
        [scale], [zero_point] = running.parameters(graph, dense.inputs[2])
        assert scale == np.float32(records.SCALE) * np.float32(records.SCALE)
        assert (zero_point, graph.constant(dense.inputs[2]).tolist()) == (0, [120])
    runs_close_to(data, graph)


def test_constant_is_stored_once_for_each_scale_that_is_wanted() -> None:
    net = image_net()
    x, y, z = (net.conv(net.input, 4) for _ in range(3))
    values = net.constant(np.array([-0.5, 0.1, 0.4, 1.0], np.float32))
    largest = [net.elementwise("MAXIMUM", tensor, values) for tensor in (x, y, z)]
    island = net.elementwise("MINIMUM", x, values)
    data = net.finished(*largest, island)
    skipped = {len(Graph.from_bytes(data).operators) - 1}
    graph = written(data, skipped, scales={y: 0.04, largest[1]: 0.04})
    operators = [o for o in graph.operators if o.kind == "MAXIMUM"]
    first, second, third = (o.inputs[1] for o in operators)
    assert first == third != second
    assert graph.constant(first).tolist() == [-13, -1, 5, 17]
    assert graph.constant(second).tolist() == [-16, 0, 7, 22]
    [minimum] = [o for o in graph.operators if o.kind == "MINIMUM"]
    assert graph.tensors[minimum.inputs[1]].is_float
    names = {graph.tensors[i].name for i in (first, second, minimum.inputs[1])}
    assert names == {Graph.from_bytes(data).tensors[values].name}
    runs_close_to(data, graph)


def test_custom_operators_keep_what_they_are() -> None:
    net = image_net()
    x = net.custom("Foo", net.conv(net.input, 4), b"options")
    data = net.finished(net.conv(x, 4))
    graph = written(data, {1})
    [custom] = [o for o in graph.operators if o.kind == "CUSTOM:Foo"]
    assert types(graph, [*custom.inputs, *custom.outputs]) == ["FLOAT32", "FLOAT32"]
    stored = graph.subgraph.operators[custom.index]
    assert bytes(bytearray(stored.customOptions)) == b"options"


def test_files_with_codes_in_the_deprecated_field_alone() -> None:
    net = image_net()
    data = net.finished(net.elementwise("RELU", net.conv(net.input, 4)))
    model = schema.parse(data)
    for code in model.operatorCodes:
        code.builtinCode = 0
    old = schema.serialize(model)
    graph = written(old)
    assert schema.serialize(graph.model) == schema.serialize(written(data).model)
    assert all(c.builtinCode == c.deprecatedBuiltinCode for c in graph.model.operatorCodes)
    runs_close_to(data, graph)


def test_codes_beyond_the_deprecated_field() -> None:
    net = image_net()
    graph = written(net.finished(net.elementwise("GELU", net.conv(net.input, 4))))
    [code] = [c for c in graph.model.operatorCodes if schema.operator_kind(c) == "GELU"]
    assert (code.builtinCode, code.deprecatedBuiltinCode, code.version) == (150, 127, 2)


def test_one_code_per_kind_of_operator() -> None:
    """At the version of its int8 form, even if another operator of the kind stays in float."""
    net = image_net()
    data = net.finished(net.conv(net.conv(net.input, 4), 4))
    graph = written(data, {1})
    found = [(schema.operator_kind(c), c.version) for c in graph.model.operatorCodes]
    assert sorted(found) == [("CONV_2D", 3), ("DEQUANTIZE", 2), ("QUANTIZE", 1)]


def test_metadata_description_and_shapes_of_unknown_size_are_kept() -> None:
    net = image_net()
    model = schema.parse(net.finished(net.conv(net.input, 4)))
    generated = schema.schema()
    entry, buffer = generated.MetadataT(), generated.BufferT()
    buffer.data = np.frombuffer(b"anything", np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = "other", len(model.buffers) - 1
    model.metadata, model.description = [entry], "described"
    for tensor in (model.subgraphs[0].tensors[i] for i in (0, model.subgraphs[0].outputs[0])):
        tensor.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    graph = written(schema.serialize(model))
    [kept] = graph.model.metadata
    assert kept.name == b"other"
    assert bytes(bytearray(graph.model.buffers[kept.buffer].data)) == b"anything"
    assert graph.model.description == b"described"
    activations = [t for t in graph.tensors if not t.is_constant]
    assert len(activations) == 4
    assert all(t.dynamic for t in activations)


def test_input_is_not_changed_by_reading_the_result() -> None:
    """Several results can be made from one parsed network."""
    net = image_net()
    data = net.finished(net.conv(net.conv(net.input, 4), 4))
    graph = edit.with_biases(Graph.from_bytes(data))
    before = schema.serialize(graph.model)
    written(before)
    assert schema.serialize(graph.model) == before
