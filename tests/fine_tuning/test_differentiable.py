"""The differentiable network against the calibration pass, whose operators TFLite runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models
from tests.simulation.test_lockstep import simulate
from tflite_eq import Config
from tflite_eq.errors import ModelError
from tflite_eq.fine_tuning.differentiable import (
    DifferentiableNetwork,
    check_differentiable,
    distilled_tensors,
    fake_quantize,
)
from tflite_eq.graph import edit
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize
from tflite_eq.numerics.weights import quantize_bias
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import recorded_filters

Array = npt.NDArray[Any]


def written_biases(
    graph: Graph, records: list[LayerRecord], params: Mapping[int, AffineParams]
) -> dict[int, Array]:
    """Real biases by operator index, as the file holds them."""
    found = {}
    for record in records:
        layer = linear_layers(graph)[record.index]
        bias = layer.bias_values
        if record.bias_correction:
            bias = bias + np.float32(record.bias_correction)
        scales = recorded_filters(layer, record).scales * np.float32(record.gain)
        codes, bias_scales = quantize_bias(bias, params[record.input].scale, scales)
        found[record.index] = (codes * bias_scales.astype(np.float64)).astype(np.float32)
    return found


CONFIGS = {
    "int8": Config(),
    "int7 refit": Config(bits="7", reconstruction="refit"),
    "clipping": Config(method="kl", activation_mode="symmetric"),
    "per tensor": Config(per_tensor=True, equalization="none"),
}

SPLIT = {
    **dict.fromkeys(models.SHAPES, Config()),
    "depthwise_net": Config(split_channels="^Relu6;"),
    "leaky_net": Config(split_channels="^BiasAdd;"),
}


# Sums in another order than TFLite's: a value half-way between two codes may fall to either. Means
# of codes often lie half-way; TFLite's own kernels differ from each other there as much.
EDGE_CASES = 0.001
MEANS_OF_CODES = {"AVERAGE_POOL_2D": 0.15}


@pytest.mark.parametrize(
    ("name", "config"),
    [(name, "int8") for name in models.SHAPES]
    + [(name, config) for name in ("conv_net", "depthwise_net") for config in CONFIGS]
    + [("depthwise_net", "split"), ("leaky_net", "split")],
)
def test_forward_equals_the_calibration_pass(name: str, config: str) -> None:
    graph, records, twins = simulate(name, CONFIGS.get(config, SPLIT[name]))
    tensors = [o.outputs[0] for o in graph.operators if o.outputs[0] in twins.params]
    network = DifferentiableNetwork(
        tf, graph, linear_layers(graph), records, twins.params, tensors, twins.tables
    )
    biases = written_biases(graph, records, twins.params)
    codes = twins.codes
    off: dict[int, list[Array]] = {index: [] for index in tensors}
    for sample, values in enumerate(models.data(name)):
        outputs = network.outputs(values, [biases[index] for index in network.trainable])
        for index, output in zip(tensors, outputs):
            found = quantize(output, twins.params[index])
            np.testing.assert_array_equal(dequantize(found, twins.params[index]), output)
            simulated = codes[index][sample].reshape(found.shape)
            off[index].append(np.abs(found.astype(np.int32) - simulated).ravel())
    blurred: set[int] = set()
    for operator in graph.operators:
        index = operator.outputs[0]
        if blurred.intersection(operator.inputs):
            blurred.add(index)  # its inputs differ already
        elif index in off:
            difference = np.concatenate(off[index])
            allowed = MEANS_OF_CODES.get(operator.kind, EDGE_CASES)
            assert difference.max() <= 1
            assert np.count_nonzero(difference) <= allowed * difference.size
            if difference.any():
                blurred.add(index)
    assert len(blurred) < len(tensors)


def test_skipped_layers_stay_in_float() -> None:
    graph, records, _ = simulate("dense_net", Config(skip=".*"))
    network = DifferentiableNetwork(tf, graph, linear_layers(graph), records, {})
    assert network.trainable == [r.index for r in records]
    exact = DifferentiableNetwork(tf, graph, linear_layers(graph), [], {})
    (values,) = models.data("dense_net")[0]
    (output,) = exact.outputs([values], [])
    interpreter = tf.lite.Interpreter(model_content=models.build("dense_net"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def test_gradient_passes_rounding_and_stops_at_clipping() -> None:
    params = AffineParams(0.5, -10)
    values = tf.constant([-80.0, -59.4, -3.3, 0.0, 0.26, 68.4, 68.9, 90.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = tf.reduce_sum(3 * fake_quantize(tf, values, params))
    gradient = tape.gradient(result, values).numpy()
    np.testing.assert_array_equal(gradient, [0, 0, 3, 3, 3, 3, 0, 0])


def test_fake_quantization_rounds_as_kernels_do() -> None:
    params = AffineParams(0.25, 5)
    values = np.arange(-40, 40, 0.125, np.float32)
    expected = dequantize(quantize(values, params), params)
    found = fake_quantize(tf, tf.constant(values), params).numpy()
    np.testing.assert_array_equal(found, expected)


def test_networks_are_compared_before_softmax_and_sigmoid() -> None:
    for name, kinds in (
        ("softmax_net", {"FULLY_CONNECTED"}),
        ("two_input_net", {"FULLY_CONNECTED"}),
    ):
        graph = Graph.from_bytes(models.build(name))
        producers = [graph.producer(index) for index in distilled_tensors(graph)]
        assert {p.kind for p in producers if p} == kinds
        assert len(producers) == len(graph.outputs)


def test_unknown_operator_is_named() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.float_island_net()))
    with pytest.raises(ModelError, match=r"SIN.*--bias_correction iterative"):
        check_differentiable(graph, linear_layers(graph))
