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
from tests.simulation.test_differentiable import written_biases
from tflite_eq import Config, quantize
from tflite_eq.errors import VerificationError
from tflite_eq.graph import edit, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import preferred_runtime
from tflite_eq.simulation.differentiable import DifferentiableNetwork, fake_quantize
from tflite_eq.simulation.tensorflow_operators import (
    OPERATORS,
    activated,
    knows_activation,
    knows_layer,
    linear_function,
)

Array = npt.NDArray[Any]

SHAPE = (1, 6, 6, 4)
PADS = [[0, 0], [1, 2], [0, 1], [0, 0]]
OTHER = np.random.default_rng(0).uniform(0.5, 2, SHAPE).astype(np.float32)

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
    "PRELU": lambda x: tf.nn.relu(x) + np.full((6, 6, 4), -0.2, np.float32) * tf.nn.relu(-x),
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
    "SQUEEZE": lambda x: tf.reshape(x, [1, 9, 16]),
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
DYNAMIC = frozenset(
    {"SHAPE", "EXPAND_DIMS", "SQUEEZE"}
)  # of a static shape the converter folds them


@functools.cache
def converted(kind: str) -> bytes:
    """The float ``.tflite`` of a case."""
    shape = (None, *SHAPE[1:]) if kind in DYNAMIC else SHAPE
    data = models.convert(CASES[kind], shape)
    if kind == "RELU_0_TO_1":
        model = schema.parse(data)
        (code,) = model.operatorCodes
        code.builtinCode = code.deprecatedBuiltinCode = schema.schema().BuiltinOperator.RELU_0_TO_1
        data = schema.serialize(model)
    assert kind in {operator.kind for operator in Graph.from_bytes(data).operators}
    return data


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
    (expected,) = running.run(converted(kind), [values])
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
    at = list(range(0, values.size, 5))
    expected = slopes(lambda x: np.sum(output(x) * weights), values, at, 0.02)
    np.testing.assert_allclose(gradient[at], expected, rtol=0.02, atol=2e-3)
    assert np.abs(expected).max() > 1e-3
