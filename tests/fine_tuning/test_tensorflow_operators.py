"""Every operator of the differentiable network by itself: values and gradients.

Values are compared with TFLite's float kernels and with its integer reference kernels, gradients
with differences of what TFLite computes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tests.fine_tuning.test_differentiable import written_biases
from tflite_eq import Config, quantize
from tflite_eq.errors import ModelError
from tflite_eq.fine_tuning.differentiable import (
    DifferentiableNetwork,
    check_differentiable,
    fake_quantize,
)
from tflite_eq.fine_tuning.tensorflow_operators import (
    OPERATORS,
    activated,
    knows_layer,
)
from tflite_eq.graph import edit, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import Kernels, preferred_runtime

Array = npt.NDArray[Any]

SHAPE = (1, 6, 6, 4)
PADS = [[0, 0], [1, 2], [0, 1], [0, 0]]
OTHER = np.random.default_rng(0).uniform(0.5, 2, SHAPE).astype(np.float32)
SLOPES = np.full((6, 6, 4), [-0.3, -0.2, -0.2, -0.1], np.float32)

CASES: dict[str, Callable[[Any], Any]] = {
    "ADD": lambda x: x + OTHER,
    "SUB": lambda x: x - OTHER,
    "MUL": lambda x: x * OTHER,
    "DIV": lambda x: x / (tf.abs(x) + 1),
    "MAXIMUM": lambda x: tf.maximum(x, OTHER),
    "MINIMUM": lambda x: tf.minimum(x, OTHER),
    "SQUARED_DIFFERENCE": lambda x: tf.math.squared_difference(x, OTHER),
    "ABS": tf.abs,
    "NEG": tf.negative,
    "EXP": lambda x: tf.exp(x * 0.2),
    "SQRT": lambda x: tf.sqrt(tf.abs(x)),
    "RSQRT": lambda x: tf.math.rsqrt(tf.abs(x) + 1),
    "SQUARE": tf.square,
    "RELU": tf.nn.relu,
    "RELU6": tf.nn.relu6,
    "RELU_N1_TO_1": lambda x: tf.minimum(tf.maximum(x, -1.0), 1.0),
    "RELU_0_TO_1": tf.nn.relu,
    "LEAKY_RELU": lambda x: tf.nn.leaky_relu(x, 0.3),
    "PRELU": lambda x: tf.nn.relu(x) + SLOPES * tf.nn.relu(-x),
    "ELU": tf.nn.elu,
    "GELU": tf.nn.gelu,
    "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3) * (1 / 6),
    "LOGISTIC": tf.sigmoid,
    "TANH": tf.tanh,
    "SOFTMAX": tf.nn.softmax,
    "LOG_SOFTMAX": tf.nn.log_softmax,
    "L2_NORMALIZATION": lambda x: tf.math.l2_normalize(x, -1),
    "MEAN": lambda x: tf.reduce_mean(x, [1, 2]),
    "SUM": lambda x: tf.reduce_sum(x, [1, 2]),
    "REDUCE_MAX": lambda x: tf.reduce_max(x, -1, keepdims=True),
    "REDUCE_MIN": lambda x: tf.reduce_min(x, 1),
    "AVERAGE_POOL_2D": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    "MAX_POOL_2D": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
    "RESIZE_BILINEAR": lambda x: tf.image.resize(x, (9, 11)),
    "RESIZE_NEAREST_NEIGHBOR": lambda x: tf.image.resize(x, (12, 12), "nearest"),
    "CONCATENATION": lambda x: tf.concat([x, tf.nn.relu(x)], 2),
    "SPLIT": lambda x: tf.split(x, 2, -1)[1],
    "SPLIT_V": lambda x: tf.split(x, [1, 3], -1)[1],
    "PACK": lambda x: tf.stack([x, tf.nn.relu(x)], 1),
    "UNPACK": lambda x: tf.unstack(x, axis=3)[2],
    "RESHAPE": lambda x: tf.reshape(x, [1, 9, 16]),
    "SHAPE": lambda x: tf.reshape(x, [tf.shape(x)[0], 144]),
    "SQUEEZE": lambda x: tf.reshape(x, [6, 6, 4]),
    "EXPAND_DIMS": lambda x: tf.expand_dims(x, tf.shape(x)[0]),
    "TRANSPOSE": lambda x: tf.transpose(x, [0, 3, 1, 2]),
    "TILE": lambda x: tf.tile(x, [1, 2, 1, 1]),
    "PAD": lambda x: tf.pad(x, PADS),
    "PADV2": lambda x: tf.pad(x, PADS, constant_values=3.0),
    "MIRROR_PAD": lambda x: tf.pad(x, PADS, "REFLECT"),
    "SLICE": lambda x: tf.slice(x, [0, 1, 2, 0], [1, 3, 2, 4]),
    "STRIDED_SLICE": lambda x: x[:, ::2, 1:-1, 1],
    "DEPTH_TO_SPACE": lambda x: tf.nn.depth_to_space(x, 2),
    "SPACE_TO_DEPTH": lambda x: tf.nn.space_to_depth(x, 2),
    "SPACE_TO_BATCH_ND": lambda x: tf.space_to_batch(x, [2, 3], [[0, 0], [0, 0]]),
    "BATCH_TO_SPACE_ND": lambda x: tf.batch_to_space(
        tf.reshape(x, [4, 3, 3, 4]), [2, 2], [[0, 1], [1, 0]]
    ),
}
DYNAMIC = frozenset({"SHAPE", "EXPAND_DIMS"})  # of a static shape the converter folds them
REWRITTEN = {"RELU_0_TO_1": "RELU", "SQUEEZE": "RESHAPE"}  # what converters write in their place


@functools.cache
def converted(kind: str, beside_convolution: bool = False) -> bytes:
    """The float ``.tflite`` of a case; a network without convolution is nothing to quantize."""
    case = CASES[kind]
    network = (lambda x: {"a": case(x), "b": models.conv(x, 3)}) if beside_convolution else case
    data = models.convert(network, (None, *SHAPE[1:]) if kind in DYNAMIC else SHAPE)
    if kind in REWRITTEN:
        data = rewritten(data, kind)
    assert kind in {operator.kind for operator in Graph.from_bytes(data).operators}
    return data


def rewritten(data: bytes, kind: str) -> bytes:
    """The network with an operator of that kind in place of its like."""
    position = next(o.index for o in Graph.from_bytes(data).operators if o.kind == REWRITTEN[kind])
    model, kinds = schema.parse(data), schema.schema()
    operator = model.subgraphs[0].operators[position]
    code = kinds.OperatorCodeT()
    code.builtinCode = getattr(kinds.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = operator.inputs[:1]
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    if kind == "SQUEEZE":
        operator.builtinOptionsType = kinds.BuiltinOptions.SqueezeOptions
        operator.builtinOptions = kinds.SqueezeOptionsT()
        operator.builtinOptions.squeezeDims = [0]
    return schema.serialize(model)


def spread_values() -> Array:
    """A sample whose values keep away from each other and from 0, 1, 3 and 6, where slopes jump."""
    order = np.random.default_rng(1).permutation(int(np.prod(SHAPE)))
    return ((order - len(order) // 2) * 0.12 + 0.06).astype(np.float32).reshape(SHAPE)


def computed_by_tensorflow(graph: Graph, values: Any) -> Any:
    """The network's output by the operators under test."""
    found: dict[int, Any] = {graph.inputs[0]: values}
    for operator in graph.operators:
        given = [found[i] if i in found else graph.constant(i) for i in operator.inputs]
        made = OPERATORS[operator.kind](tf, operator, given)
        made = made if isinstance(made, list) else [made]
        found.update(zip(operator.outputs, (activated(tf, operator, m) for m in made)))
    return found[graph.outputs[0]]


def test_every_operator_has_a_case() -> None:
    assert CASES.keys() == OPERATORS.keys()


@pytest.mark.parametrize("kind", CASES)
def test_values_are_those_of_float_kernels(kind: str) -> None:
    graph, values = Graph.from_bytes(converted(kind)), spread_values()
    found = computed_by_tensorflow(graph, tf.constant(values)).numpy()
    (expected,) = running.run(converted(kind), [values], Kernels.DEFAULT)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def slopes(function: Callable[[Array], Array], values: Array, at: list[int], step: float) -> Array:
    """Central differences of a scalar function by single elements of its argument."""
    found = []
    for position in at:
        sums = []
        for sign in (1, -1):
            moved = values.copy()
            moved.flat[position] += np.float32(sign * step)
            sums.append(function(moved))
        found.append((sums[0] - sums[1]) / (2 * step))
    return np.array(found)


@pytest.mark.parametrize("kind", CASES)
def test_gradients_are_slopes_of_float_kernels(kind: str) -> None:
    graph, values = Graph.from_bytes(converted(kind)), spread_values()
    interpreter = preferred_runtime().interpreter(converted(kind))
    interpreter.allocate_tensors()
    (feed,), (fetch,) = interpreter.get_input_details(), interpreter.get_output_details()

    def output(x: Array) -> Array:
        interpreter.set_tensor(feed["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(fetch["index"]).astype(np.float64)

    weights = np.random.default_rng(2).uniform(0.5, 1.5, output(values).shape)
    x = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(computed_by_tensorflow(graph, x) * weights.astype(np.float32))
    gradient = tape.gradient(total, x).numpy().ravel()
    at = list(range(values.size))
    expected = slopes(lambda x: np.sum(output(x) * weights), values, at, 0.02)
    np.testing.assert_allclose(gradient[at], expected, rtol=0.02, atol=2e-3)
    assert np.abs(expected).max() > 1e-3


# They have no int8 kernel: they stay in float, or are written as others that have one.
FLOAT_ONLY = frozenset({"DIV", "NEG", "SQRT", "SQUARE"})
INTEGER = sorted(CASES.keys() - FLOAT_ONLY - {"SHAPE"})
# Reference kernels of all runtimes give the zero point for every SUM; others they do not have.
NO_REFERENCE = frozenset({"ELU", "SUM", "DEPTH_TO_SPACE", "TILE"})


def real_values(graph: Graph, index: int, codes: dict[int, Array]) -> Any:
    """What an operator reads: real values, or integers where it is no int8 tensor."""
    values = codes[index] if index in codes else graph.constant(index)
    if graph.tensors[index].type_name != "INT8":
        return values
    scales, zero_points = running.parameters(graph, index)
    return (values.astype(np.float32) - np.float32(zero_points[0])) * scales[0]


@pytest.mark.parametrize("kind", INTEGER)
def test_values_are_within_a_code_of_integer_kernels(kind: str) -> None:
    config = Config(forms="plain")
    data = quantize(converted(kind, beside_convolution=True), models.samples(SHAPE), config).model
    graph = Graph.from_bytes(data)
    kernels = Kernels.BUILTIN if kind in NO_REFERENCE else Kernels.REFERENCE
    codes = running.codes_of_all_tensors(data, models.samples(SHAPE, seed=7)[0], kernels)
    operator = next(o for o in graph.operators if o.kind == kind)
    made = OPERATORS[operator.kind](
        tf, operator, [real_values(graph, i, codes) for i in operator.inputs]
    )
    for index, values in zip(operator.outputs, made if isinstance(made, list) else [made]):
        scales, zero_points = running.parameters(graph, index)
        params = AffineParams(float(scales[0]), int(zero_points[0]))
        found = fake_quantize(tf, activated(tf, operator, values), params).numpy()
        expected = real_values(graph, index, codes)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1.01 * params.scale
        assert len(np.unique(expected)) > 3


def pointwise(x: Any, channels: int = 4) -> Any:
    return models.conv(x, channels, size=1, seed=9)


def dilated_depthwise(x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, models.weights(3, 3, 4, 2), [1] * 4, "SAME", dilations=[2, 2])


def valid_transpose(x: Any) -> Any:
    filters = models.weights(3, 2, 5, 4)
    return tf.nn.conv2d_transpose(x, filters, [1, 13, 12, 5], 2, "VALID")


LAYERS: dict[str, Callable[[Any], Any]] = {
    "convolution": lambda x: models.conv(x, 5),
    "valid": lambda x: models.conv(x, 5, padding="VALID"),
    "strided": lambda x: models.conv(x, 5, stride=2),
    "uneven strides": lambda x: tf.nn.conv2d(x, models.weights(3, 2, 4, 5), [2, 1], "SAME"),
    "dilated": lambda x: models.conv(x, 5, dilation=2),
    "grouped": lambda x: models.conv(x, 6, groups=2),
    "depthwise": models.depthwise,
    "depthwise, two filters a channel": lambda x: models.depthwise(x, multiplier=2),
    "depthwise, strided": lambda x: models.depthwise(x, stride=2, padding="VALID"),
    "depthwise, dilated": dilated_depthwise,
    "dense": lambda x: models.dense(tf.reshape(x, [1, 144]), 5),
    "dense on an image": lambda x: tf.tensordot(x, models.weights(4, 5), 1),
    "transposed": lambda x: models.transpose_conv(x, 5),
    "transposed, valid": valid_transpose,
    "with RELU": lambda x: tf.nn.relu(models.conv(x, 5)),
    "with RELU6": lambda x: tf.nn.relu6(models.conv(x, 5) * 4),
    "with RELU_N1_TO_1": lambda x: tf.minimum(tf.maximum(models.conv(x, 5), -1.0), 1.0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_within_a_code_of_integer_kernels(name: str) -> None:
    data = models.samples(SHAPE)
    result = quantize(models.convert(LAYERS[name], SHAPE), data)
    graph = edit.with_biases(Graph.from_bytes(models.convert(LAYERS[name], SHAPE)))
    layers, records = linear_layers(graph), result.calibration.layers
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in result.calibration.tensors}
    network = DifferentiableNetwork(tf, graph, layers, records, params)
    biases = written_biases(graph, records, params)
    step = params[network.targets[0]].scale
    for sample in data:
        (found,) = network.outputs(sample, [biases[i] for i in network.trainable])
        (expected,) = running.run(result.model, sample)
        difference = np.abs(found - expected) / step
        assert difference.max() <= 1.01
        assert np.mean(difference > 0.5) <= 0.03


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_pass_layers(name: str) -> None:
    """By the bias of a layer in front and by the layer's own; nothing is rounded."""
    data = models.convert(lambda x: LAYERS[name](pointwise(x)), SHAPE)
    graph = edit.with_biases(Graph.from_bytes(data))
    layers = linear_layers(graph)
    (sample,) = models.samples(SHAPE, count=1)
    records = quantize(data, [sample]).calibration.layers
    network = DifferentiableNetwork(tf, graph, layers, records, {})
    assert len(network.trainable) == 2
    biases = [layers[index].bias_values.copy() for index in network.trainable]
    reference = [network.outputs(sample, biases)[0] - 1]
    gradients = network.gradients(sample, biases, reference, [1.0])

    def loss(which: int, bias: Array) -> Array:
        (output,) = network.outputs(sample, [*biases[:which], bias, *biases[which + 1 :]])
        return np.mean(np.square(output - reference[0], dtype=np.float64))

    for which, gradient in enumerate(gradients):
        at = list(range(len(gradient)))
        expected = slopes(functools.partial(loss, which), biases[which], at, 1e-3)
        np.testing.assert_allclose(gradient, expected, rtol=0.03, atol=2e-3)
        assert np.abs(expected).max() > 0.01


def test_uneven_strides_of_a_depthwise_convolution_are_not_known() -> None:
    """TensorFlow's own kernel has square strides only."""
    model = schema.parse(models.convert(lambda x: models.depthwise(x, stride=2), SHAPE))
    model.subgraphs[0].operators[0].builtinOptions.strideH = 1
    graph = edit.with_biases(Graph.from_bytes(schema.serialize(model)))
    (layer,) = linear_layers(graph).values()
    assert not knows_layer(layer)
    with pytest.raises(ModelError, match=r"DEPTHWISE_CONV_2D.*--bias_correction iterative"):
        check_differentiable(graph, linear_layers(graph))
