"""The differentiable network against the calibration pass, whose operators TFLite runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models
from tests.simulation.test_lockstep import RememberingTwins, simulate
from tflite_eq import Config
from tflite_eq.calibration.filters import recorded_filters
from tflite_eq.calibration.record import LayerRecord
from tflite_eq.errors import ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize
from tflite_eq.numerics.weights import quantize_bias
from tflite_eq.simulation.differentiable import (
    DifferentiableNetwork,
    check_differentiable,
    distilled_tensors,
    fake_quantize,
)
from tflite_eq.simulation.tensorflow_operators import OPERATORS

Array = npt.NDArray[Any]


def written_biases(
    graph: Graph, records: list[LayerRecord], twins: RememberingTwins
) -> dict[int, Array]:
    """Real biases by operator index, as the file holds them."""
    found = {}
    for record in records:
        layer = linear_layers(graph)[record.index]
        bias = layer.bias_values
        if record.bias_correction:
            bias = bias + np.float32(record.bias_correction)
        scales = recorded_filters(layer, record).scales * np.float32(record.gain)
        codes, bias_scales = quantize_bias(bias, twins.params[record.input].scale, scales)
        found[record.index] = (codes * bias_scales.astype(np.float64)).astype(np.float32)
    return found


CONFIGS = {
    "int8": Config(),
    "int7 refit": Config(bits="7", reconstruction="refit"),
    "clipping": Config(method="kl", activation_mode="symmetric"),
    "per tensor": Config(per_tensor=True, equalization="none"),
}


# Sums in another order than TFLite's: a value half-way between two codes may fall to either. Means
# of codes often lie half-way; TFLite's own kernels differ from each other there as much.
EDGE_CASES = 0.001
MEANS_OF_CODES = {"AVERAGE_POOL_2D": 0.15}


@pytest.mark.parametrize(
    ("name", "config"),
    [(name, "int8") for name in models.SHAPES]
    + [(name, config) for name in ("conv_net", "depthwise_net") for config in CONFIGS],
)
def test_forward_equals_the_calibration_pass(name: str, config: str) -> None:
    graph, records, twins = simulate(name, CONFIGS[config])
    tensors = [o.outputs[0] for o in graph.operators if o.outputs[0] in twins.params]
    network = DifferentiableNetwork(tf, graph, linear_layers(graph), records, twins.params, tensors)
    biases = written_biases(graph, records, twins)
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


def unusual_convolutions(x: Any) -> Any:
    """Dilation and groups: TensorFlow has no gradient of them on a CPU."""
    x = tf.nn.relu6(models.conv(x, 8, seed=1, dilation=2))
    x = models.conv(x, 12, seed=2, groups=4)
    return models.conv(x, 4, seed=3, stride=2)


def test_gradients_of_dilated_and_grouped_convolutions() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.convert(unusual_convolutions, models.IMAGE)))
    layers = linear_layers(graph)
    records = [
        LayerRecord(
            index=layer.operator.index,
            name=layer.name,
            kind=layer.kind.value,
            input=layer.input,
            grid="int8",
            scales=[0.01],
            gain=1.0,
            bias_correction=[],
            metrics={},
        )
        for layer in layers.values()
    ]
    network = DifferentiableNetwork(tf, graph, layers, records, {})
    (values,) = models.samples(models.IMAGE, count=1)[0]
    biases = [layers[index].bias_values for index in network.trainable]
    (start,) = network.outputs([values], biases)
    reference = [start - 1]
    gradients = network.gradients([values], biases, reference, [1.0])
    step = 1e-2
    for layer, gradient in enumerate(gradients):
        for channel in (0, 3):
            losses = []
            for sign in (1, -1):
                moved = [bias.copy() for bias in biases]
                moved[layer][channel] += sign * step
                (output,) = network.outputs([values], moved)
                losses.append(np.mean(np.square(output - reference[0], dtype=np.float64)))
            slope = (losses[0] - losses[1]) / (2 * step)
            np.testing.assert_allclose(gradient[channel], slope, rtol=0.03, atol=2e-3)


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


def operator_cases() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    other = rng.uniform(0.5, 2, (1, 6, 6, 4)).astype(np.float32)
    return {
        "SUB": lambda x: x - other,
        "MUL": lambda x: x * other,
        "DIV": lambda x: x / (tf.abs(x) + 1),
        "MAXIMUM": lambda x: tf.maximum(x, other),
        "MINIMUM": lambda x: tf.minimum(x, other),
        "SQUARED_DIFFERENCE": lambda x: tf.math.squared_difference(x, other),
        "RELU_N1_TO_1": lambda x: tf.minimum(tf.maximum(x, -1.0), 1.0),
        "LEAKY_RELU": lambda x: tf.nn.leaky_relu(x, 0.3),
        "PRELU": lambda x: tf.nn.relu(x) + np.full((6, 6, 4), -0.2, np.float32) * tf.nn.relu(-x),
        "ELU": tf.nn.elu,
        "GELU": tf.nn.gelu,
        "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3) * (1 / 6),
        "LOGISTIC": tf.sigmoid,
        "TANH": tf.tanh,
        "SOFTMAX": tf.nn.softmax,
        "LOG_SOFTMAX": tf.nn.log_softmax,
        "L2_NORMALIZATION": lambda x: tf.math.l2_normalize(x, -1),
        "SUM": lambda x: tf.reduce_sum(x, [1, 2]),
        "REDUCE_MAX": lambda x: tf.reduce_max(x, -1, keepdims=True),
        "AVERAGE_POOL_2D": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
        "MAX_POOL_2D": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
        "RESIZE_BILINEAR": lambda x: tf.image.resize(x, (9, 11)),
        "RESIZE_NEAREST_NEIGHBOR": lambda x: tf.image.resize(x, (12, 12), "nearest"),
        "SPLIT": lambda x: tf.split(x, 2, -1)[1],
        "SPLIT_V": lambda x: tf.split(x, [1, 3], -1)[1],
        "PACK": lambda x: tf.stack([x, x * 2], 1),
        "UNPACK": lambda x: tf.unstack(x, axis=3)[2],
        "TRANSPOSE": lambda x: tf.transpose(x, [0, 3, 1, 2]),
        "TILE": lambda x: tf.tile(x, [1, 2, 1, 1]),
        "PADV2": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=3.0),
        "MIRROR_PAD": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], "REFLECT"),
        "SLICE": lambda x: tf.slice(x, [0, 1, 2, 0], [1, 3, 2, 4]),
        "STRIDED_SLICE": lambda x: x[:, ::2, 1:-1, 1],
        "DEPTH_TO_SPACE": lambda x: tf.nn.depth_to_space(x, 2),
        "SPACE_TO_DEPTH": lambda x: tf.nn.space_to_depth(x, 2),
    }


@pytest.mark.parametrize("kind", operator_cases())
def test_operators_compute_what_tflite_computes(kind: str) -> None:
    data = models.convert(operator_cases()[kind], (1, 6, 6, 4))
    graph = Graph.from_bytes(data)
    kinds = {operator.kind for operator in graph.operators}
    assert kind in kinds
    assert kinds <= OPERATORS.keys()
    (values,) = models.samples((1, 6, 6, 4), count=1)[0]
    values = values * 3
    interpreter = tf.lite.Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    computed: dict[int, Any] = {graph.inputs[0]: tf.constant(values)}
    for operator in graph.operators:
        given = [computed[i] if i in computed else graph.constant(i) for i in operator.inputs]
        made = OPERATORS[operator.kind](tf, operator, given)
        computed.update(zip(operator.outputs, made if isinstance(made, list) else [made]))
    found = computed[graph.outputs[0]].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
