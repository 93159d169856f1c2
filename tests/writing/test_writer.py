"""The written weights are those of TensorFlow's own quantizer when given its own scales."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.oracles.mlir import quantized_by_mlir
from tflite_eq import BiasCorrection, Calibration, Config, Method, calibrate, quantize
from tflite_eq.graph import edit, properties, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.passes import normalized
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.writing.writer import write

PLAIN = Config(method=Method.MINMAX, bias_correction=BiasCorrection.NONE)


def huge_bias_net() -> bytes:
    """Channels whose bias would exceed 2^30 codes under the filter's own scale; a dead one."""

    def network(x: Any) -> Any:
        filters = models.weights(3, 3, 3, 6, seed=1)
        filters[..., 1] *= 1e-5
        filters[..., 2] = 0
        filters[..., 3] *= 1e-3
        bias = np.array([0.1, 50.0, 0.25, -4000.0, 0.0, 1e6], np.float32)
        x = tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias)
        return tf.reduce_mean(models.conv(x, 4, seed=2), [1, 2])

    return models.convert(network, models.IMAGE)


def mlir_result(graph: Graph, calibration: Calibration) -> Graph:
    """What TensorFlow's quantizer makes of the calibrated ranges, nothing overwritten."""
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    return Graph.from_bytes(quantized_by_mlir(graph, params, set()))


def with_mlir_scales(graph: Graph, calibration: Calibration, result: Graph) -> Calibration:
    """The record with the filter scales that TensorFlow's quantizer has chosen."""
    layers = []
    for layer, operator in linear_pairs(graph, result):
        scales = result.subgraph.tensors[properties.linear_inputs(operator)[1]].quantization.scale
        layers.append(
            LayerRecord(
                index=layer.operator.index,
                name=layer.name,
                kind=layer.kind.value,
                input=layer.input,
                grid="int8",
                scales=[float(s) for s in scales],
                gain=1.0,
                bias_correction=[],
                metrics={},
            )
        )
    return dataclasses.replace(calibration, layers=layers)


def linear_pairs(graph: Graph, result: Graph) -> list[Any]:
    """Linear layers of the float network with their int8 operators."""
    layers = linear_layers(graph).values()
    operators = [o for o in result.operators if properties.linear_kind(o) is not None]
    assert [layer.kind.value for layer in layers] == [o.kind for o in operators]
    return list(zip(layers, operators))


def assert_same_weights(graph: Graph, expected: Graph, written: schema.ModelT) -> None:
    found = Graph(written)
    for (layer, before), (_, after) in zip(
        linear_pairs(graph, expected), linear_pairs(graph, found)
    ):
        for position in (1, 2):
            old = properties.linear_inputs(before)[position]
            new = properties.linear_inputs(after)[position]
            what = f"{layer.name}, {('filter', 'bias')[position - 1]}"
            np.testing.assert_array_equal(expected.constant(old), found.constant(new), what)
            old_stored = expected.subgraph.tensors[old].quantization
            new_stored = found.subgraph.tensors[new].quantization
            np.testing.assert_allclose(old_stored.scale, new_stored.scale, rtol=2e-7, err_msg=what)
            assert not np.any(new_stored.zeroPoint)
            if len(new_stored.scale) > 1:
                assert old_stored.quantizedDimension == new_stored.quantizedDimension


@pytest.mark.parametrize(
    "name",
    [
        "conv_net",
        "depthwise_net",
        "dense_net",
        "transpose_conv_net",
        "residual_net",
        "leaky_net",
        "two_input_net",
        "keras_net",
    ],
)
def test_requantization_is_mlirs_bit_for_bit(name: str) -> None:
    model = models.build(name)
    calibration = calibrate(model, models.data(name), PLAIN)
    graph = edit.with_biases(normalized(Graph.from_bytes(model)).graph)
    expected = mlir_result(graph, calibration)
    calibration = with_mlir_scales(graph, calibration, expected)
    written = write(graph, linear_layers(graph), calibration, set()).model
    assert_same_weights(graph, expected, written)


def test_requantization_is_mlirs_where_it_raises_filter_scales_for_huge_biases() -> None:
    model = huge_bias_net()
    graph = edit.with_biases(Graph.from_bytes(model))
    # A range of 255 / 8 gives an input scale that survives min and max to the last bit; else a bias
    # of 2^30 codes shows the rounding of the scale.
    data = models.samples(models.IMAGE)
    data[0][0].flat[:2] = -16, 15.875
    calibration = calibrate(model, data, PLAIN)
    assert calibration.tensors[0].scale == 0.125
    expected = mlir_result(graph, calibration)
    calibration = with_mlir_scales(graph, calibration, expected)
    plain = np.abs(next(iter(linear_layers(graph).values())).filters).max(axis=(1, 2, 3)) / 127
    raised = np.asarray(calibration.layers[0].scales) > plain * 1.01
    assert raised.tolist() == [False, True, True, True, False, True]
    written = write(graph, linear_layers(graph), calibration, set()).model
    assert_same_weights(graph, expected, written)


def test_filter_scales_are_raised_again_after_the_search() -> None:
    """MLIR's own check saw other scales: 2^30 must hold for those that are written."""
    model = huge_bias_net()
    data = models.samples(models.IMAGE)
    for config in (Config(), Config(per_tensor=True), PLAIN):
        result = quantize(model, data, config)
        graph = Graph.from_bytes(result.model)
        for operator in graph.operators:
            if properties.linear_kind(operator) is not None:
                bias = graph.constant(properties.linear_inputs(operator)[2]).astype(np.int64)
                assert np.abs(bias).max() <= 2**30 * (1 + 2**-21)
        exact = running.run(model, data[0])[0]
        assert running.sqnr_db(exact, running.run(result.model, data[0])[0]) > 25


def test_bias_of_a_dead_channel_is_kept() -> None:
    """Quantized or not, a filter of zeros leaves the bias as the output."""

    def network(x: Any) -> Any:
        filters = models.weights(3, 3, 3, 4, seed=1)
        filters[..., 2] = 0
        bias = np.array([0.1, 0.2, 2.5, 0.3], np.float32)
        return tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias)

    model = models.convert(network, models.IMAGE)
    data = models.samples(models.IMAGE)
    for config in (Config(), Config(per_tensor=True), Config(method=Method.MINMAX)):
        output = running.run(quantize(model, data, config).model, data[0])[0]
        np.testing.assert_allclose(output[..., 2], 2.5, atol=0.03)


def test_filter_shared_by_two_layers_is_written_for_each() -> None:
    graph = Graph.from_bytes(models.shared_filter_net())
    filters = [o.inputs[1] for o in graph.operators if o.kind == "CONV_2D"]
    assert len(set(filters)) < len(filters)
    result = running.quantized("shared_filter_net")
    written = Graph.from_bytes(result.model)
    for record, operator in zip(
        result.calibration.layers, [o for o in written.operators if o.kind == "CONV_2D"]
    ):
        scales, zero_points = running.parameters(written, operator.inputs[1])
        expected = np.asarray(record.scales, np.float32) * np.float32(record.gain)
        np.testing.assert_array_equal(scales, expected)
        assert not zero_points.any()
        source, _ = running.parameters(written, operator.inputs[0])
        bias_scales, _ = running.parameters(written, operator.inputs[2])
        np.testing.assert_array_equal(bias_scales, source * scales)


def test_tensor_names_are_those_of_the_float_model() -> None:
    for name in ("residual_net", "keras_net"):
        before = Graph.from_bytes(models.build(name))
        after = Graph.from_bytes(running.quantized(name).model)
        names = {t.name for t in after.tensors}
        tensors = [before.tensors[i] for i in edit.computed_tensors(before)]
        computed = {tensor.name for tensor in tensors if tensor.is_float}
        assert computed <= names
        assert not any(n.startswith("t0;") for n in names)


def test_unused_buffers_are_dropped() -> None:
    model = Graph.from_bytes(running.quantized("conv_net").model).model
    used = {t.buffer for t in model.subgraphs[0].tensors} | {m.buffer for m in model.metadata}
    assert used | {0} == set(range(len(model.buffers)))


@pytest.mark.parametrize("name", ["conv_net", "dense_net"])
def test_per_tensor_scales_are_single(name: str) -> None:
    result = running.quantized(name, Config(per_tensor=True))
    graph = Graph.from_bytes(result.model)
    for operator in graph.operators:
        if properties.linear_kind(operator) is not None:
            _, filters, bias = properties.linear_inputs(operator)
            assert len(running.parameters(graph, filters)[0]) == 1
            assert len(running.parameters(graph, bias)[0]) == 1


def record_for(name: str) -> tuple[Graph, Calibration]:
    graph = edit.with_biases(Graph.from_bytes(models.build(name)))
    return graph, copy.deepcopy(running.quantized(name).calibration)


def apply(graph: Graph, record: Calibration) -> Graph:
    return Graph(write(graph, linear_layers(graph), record, set()).model)


def test_what_the_record_does_not_cover_stays_in_float() -> None:
    graph, record = record_for("conv_net")
    record.tensors = [t for t in record.tensors if t.index != graph.inputs[0]]
    first, second, *_ = apply(graph, record).operators
    assert [first.kind, second.kind] == ["CONV_2D", "QUANTIZE"]
    assert second.inputs == first.outputs


def test_results_of_fixed_scale_are_brought_to_the_scale_of_the_record() -> None:
    graph, record = record_for("softmax_net")
    output = next(t for t in record.tensors if t.index == graph.outputs[0])
    output.scale *= 2
    written = apply(graph, record)
    softmax, requantize, dequantize = written.operators[-3:]
    assert [o.kind for o in (softmax, requantize, dequantize)] == [
        "SOFTMAX",
        "QUANTIZE",
        "DEQUANTIZE",
    ]
    assert running.parameters(written, softmax.outputs[0])[0].tolist() == [1 / 256]
    assert running.parameters(written, requantize.outputs[0])[0].tolist() == [1 / 128]
    sample = models.data("softmax_net")[0]
    exact = running.run(models.softmax_net(), sample)[0]
    found = running.run(schema.serialize(written.model), sample)[0]
    np.testing.assert_allclose(found, exact, atol=0.02)


def split_net(x: Any) -> Any:
    """Only one of two parts is used."""
    return models.conv(tf.split(models.conv(x, 8, seed=1), 2, axis=-1)[1], 4, seed=2)


def test_operators_with_an_unused_result_become_int8() -> None:
    model = models.convert(split_net, models.IMAGE)
    graph = Graph.from_bytes(quantize(model, models.samples(models.IMAGE)).model)
    assert [o.kind for o in graph.operators] == [
        "QUANTIZE",
        "CONV_2D",
        "SPLIT",
        "CONV_2D",
        "DEQUANTIZE",
    ]
    assert len(graph.outputs) == 1


def test_names_of_several_results_of_one_operator_stay_apart() -> None:
    def network(x: Any) -> Any:
        first, second = tf.split(models.conv(x, 8, seed=1), 2, axis=-1)
        return models.conv(first * second, 4, seed=2)

    model = models.convert(network, models.IMAGE)
    before = Graph.from_bytes(model)
    after = Graph.from_bytes(quantize(model, models.samples(models.IMAGE)).model)
    names = [
        [g.tensors[i].name for o in g.operators if o.kind == "SPLIT" for i in o.outputs]
        for g in (before, after)
    ]
    assert names[0] == names[1]


def test_signatures_follow_their_tensors() -> None:
    def splits(tensor: Any) -> Any:
        return tf.split(tensor, 2, axis=-1)[1]

    inputs = tf.keras.layers.Input((8, 8, 3), batch_size=1, name="image")
    x = tf.keras.layers.Lambda(splits)(tf.keras.layers.Conv2D(8, 3)(inputs))
    unused_result = models.convert_keras(inputs, tf.keras.layers.Conv2D(4, 1)(x))
    for model in (models.keras_net(), unused_result):
        before = Graph.from_bytes(model)
        after = Graph.from_bytes(quantize(model, models.samples((1, 8, 8, 3))).model)
        assert signatures(before) == signatures(after)
        assert signatures(after) == {
            ("serving_default", "image", 0),
            ("serving_default", "output_0", 0),
        }


def signatures(graph: Graph) -> set[tuple[str, str, int]]:
    """Key, name, and position among the graph's inputs or outputs."""
    found = set()
    for definition in graph.model.signatureDefs:
        for entries, ends in (
            (definition.inputs, graph.inputs),
            (definition.outputs, graph.outputs),
        ):
            for entry in entries:
                position = ends.index(entry.tensorIndex)
                found.add((definition.signatureKey.decode(), entry.name.decode(), position))
    return found


def test_operator_with_several_results_can_be_kept_in_float() -> None:
    config = Config(skip="^split$")
    result = quantize(models.split_net(), models.data("split_net"), config)
    graph = Graph.from_bytes(result.model)
    [split] = [o for o in graph.operators if o.kind == "SPLIT"]
    assert {graph.tensors[i].type_name for i in split.outputs} == {"FLOAT32"}
    assert not result.report.warnings


@pytest.mark.parametrize("name", ["conv_net", "two_input_net", "shared_filter_net", "keras_net"])
def test_float_network_is_left_as_it_is(name: str) -> None:
    graph, record = record_for(name)
    before = schema.serialize(graph.model)
    apply(graph, record)
    assert schema.serialize(graph.model) == before
