"""The operator table against what TensorFlow's quantizer and the kernels really do."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.models import conv
from tests.oracles.mlir import quantized_by_mlir
from tflite_eq import Config, Method, quantize
from tflite_eq.graph import edit, properties
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import Kernels

Layer = Callable[[Any], Any]


def other(x: Any) -> Any:
    """A second tensor of the same shape and another range."""
    return conv(x, int(x.shape[-1]), seed=9) * 3.0


EVEN = np.arange(8) % 2 == 0

SAME_SCALE: dict[str, Layer] = {
    "AVERAGE_POOL_2D": lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
    "BATCH_TO_SPACE_ND": lambda x: tf.batch_to_space(
        tf.nn.relu(tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])), [2, 2], [[0, 0], [0, 0]]
    ),
    "CONCATENATION": lambda x: tf.concat([x, other(x)], -1),
    "DEPTH_TO_SPACE": lambda x: tf.nn.depth_to_space(x, 2),
    "GATHER": lambda x: tf.gather(x, [0, 2, 1], axis=1),
    "GATHER_ND": lambda x: tf.gather_nd(x, [[[0, 1], [0, 2]]])[:, None],
    "MAXIMUM": lambda x: tf.maximum(x, other(x)),
    "MAX_POOL_2D": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
    "MINIMUM": lambda x: tf.minimum(x, other(x)),
    "MIRROR_PAD": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"),
    "ONE_HOT": lambda x: x + tf.one_hot(tf.argmax(x, -1), 8, on_value=3.0, off_value=-2.0),
    "PACK": lambda x: tf.reshape(tf.stack([x, other(x)], 1), [2, *x.shape[1:]]),
    "PAD": lambda x: tf.nn.avg_pool2d(tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]]), 2, 1, "VALID"),
    "PADV2": lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], constant_values=-9.0),
    "REDUCE_MAX": lambda x: tf.reduce_max(x, 1, keepdims=True),
    "REDUCE_MIN": lambda x: tf.reduce_min(x, 1, keepdims=True),
    "RESHAPE": lambda x: tf.reshape(x, [1, 6, 24, 8]),
    "RESIZE_BILINEAR": lambda x: tf.image.resize(x, [20, 20]),
    "RESIZE_NEAREST_NEIGHBOR": lambda x: tf.image.resize(x, [20, 20], "nearest"),
    "REVERSE_V2": lambda x: tf.reverse(x, [1]),
    "SCATTER_ND": lambda x: tf.scatter_nd([[1], [0]], x[0, :2], [3, 12, 8])[None],
    "SELECT": lambda x: tf.raw_ops.Select(
        condition=np.broadcast_to(EVEN, x.shape), x=x, y=other(x)
    ),
    "SELECT_V2": lambda x: tf.where(EVEN, x, other(x)),
    "SLICE": lambda x: tf.slice(x, [0, 1, 1, 0], [1, 5, 5, 8]),
    "SPACE_TO_BATCH_ND": lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
    "SPACE_TO_DEPTH": lambda x: tf.nn.space_to_depth(x, 2),
    "SPLIT": lambda x: tf.multiply(*tf.split(x, 2, axis=-1)),
    "SPLIT_V": lambda x: tf.split(x, [2, 6], axis=-1)[1],
    "STRIDED_SLICE": lambda x: x[:, 1:7:2, ::2],
    "TILE": lambda x: tf.tile(x, [1, 2, 1, 1]),
    "TOPK_V2": lambda x: tf.math.top_k(x, 4)[0],
    "TRANSPOSE": lambda x: tf.transpose(x, [0, 2, 1, 3]),
    "UNPACK": lambda x: (tf.unstack(x, axis=1)[0] + tf.unstack(x, axis=1)[5])[:, None],
}

# Kernels copy codes, but TensorFlow's quantizer lets their outputs have a scale of their own.
COPIES_CODES_WHATEVER_THE_SCALE = {"REVERSE_V2"}

# The kernel copies codes, but TensorFlow's quantizer gives every value a scale of its own.
WRONG_IN_TENSORFLOW = {"ONE_HOT"}

FIXED_OUTPUT: dict[str, Layer] = {
    "SOFTMAX": tf.nn.softmax,
    "LOGISTIC": tf.sigmoid,
    "LOG_SOFTMAX": tf.nn.log_softmax,
    "TANH": tf.tanh,
    "L2_NORMALIZATION": lambda x: tf.nn.l2_normalize(x, -1),
}

OWN_SCALE: dict[str, Layer] = {
    "ABS": tf.abs,
    "ADD": lambda x: x + other(x),
    "BATCH_MATMUL": lambda x: tf.linalg.matmul(x, other(x), transpose_b=True),
    "ELU": tf.nn.elu,
    "EXP": lambda x: tf.exp(tf.minimum(x, 1.0)),
    "GELU": tf.nn.gelu,
    "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "LEAKY_RELU": lambda x: tf.nn.leaky_relu(x, 0.1),
    "MEAN": lambda x: tf.reduce_mean(x, [1, 2], keepdims=True),
    "MUL": lambda x: x * other(x),
    "REDUCE_PROD": lambda x: tf.reduce_prod(x[:, :2], 1, keepdims=True),
    "RELU": lambda x: tf.nn.relu(x) + x,
    "RELU6": lambda x: tf.nn.relu6(x) + x,
    "RELU_N1_TO_1": lambda x: tf.clip_by_value(x, -1.0, 1.0) + x,
    "RSQRT": lambda x: tf.math.rsqrt(tf.nn.relu(x) + 1.0),
    "SQUARED_DIFFERENCE": lambda x: tf.math.squared_difference(x, other(x)),
    "SUB": lambda x: x - other(x),
    "SUM": lambda x: tf.reduce_sum(x, [1, 2], keepdims=True),
}

# Has an int8 kernel that TensorFlow's quantizer does not use.
FLOAT_IN_TENSORFLOW = {"ELU"}

# Results are indices or truth values.
NO_SCALE: dict[str, Layer] = {
    "ARG_MAX": lambda x: tf.argmax(x, -1),
    "ARG_MIN": lambda x: tf.argmin(x, -1),
    "EQUAL": lambda x: tf.equal(x, tf.nn.relu(x)),
    "GREATER": lambda x: x > other(x),
    "GREATER_EQUAL": lambda x: x >= other(x),
    "LESS": lambda x: x < 0.3,
    "LESS_EQUAL": lambda x: x <= np.linspace(-1, 1, 8).astype(np.float32),
    "NOT_EQUAL": lambda x: tf.not_equal(x, tf.nn.relu(x)),
}

# No TensorFlow operation becomes these, or its quantizer leaves them in float; they are compared
# with kernels alone, in ``tests/operators``.
WITHOUT_ORACLE = set(
    """
    BROADCAST_TO DYNAMIC_UPDATE_SLICE EMBEDDING_LOOKUP EXPAND_DIMS FILL MATRIX_DIAG MATRIX_SET_DIAG
    SPARSE_TO_DENSE SQUEEZE
    """.split()
)

ALL = {**SAME_SCALE, **FIXED_OUTPUT, **OWN_SCALE}


def network(kind: str) -> bytes:
    """The operator between two convolutions."""
    layer = ALL[kind]
    return models.convert(
        lambda x: conv(layer(conv(x, 8, seed=1)), 6, size=1, seed=2), models.IMAGE
    )


def differently_quantized(model: bytes) -> Graph:
    """TensorFlow's int8 graph for parameters that differ from tensor to tensor."""
    graph = edit.with_biases(Graph.from_bytes(model))
    params = {
        t.index: AffineParams(0.01 * (1 + 0.37 * t.index), t.index * 13 % 50 - 25)
        for t in graph.tensors
        if t.is_float and not t.is_constant
    }
    outputs = [t for t in edit.computed_tensors(graph) if graph.tensors[t].is_float]
    graph.subgraph.outputs = outputs  # so that none of them is taken for unused
    return Graph.from_bytes(quantized_by_mlir(graph, params, set()))


def parameters_of(graph: Graph, kind: str) -> tuple[set[Any], set[Any]]:
    """Distinct (scale, zero point) of the int8 activations that operators of a kind touch."""
    found: tuple[set[Any], set[Any]] = set(), set()
    for operator in graph.operators:
        if operator.kind != kind:
            continue
        for side, indices in zip(found, (operator.inputs, operator.outputs)):
            for index in indices:
                if index >= 0 and graph.tensors[index].type_name == "INT8":
                    scales, zero_points = running.parameters(graph, index)
                    side.add((float(scales[0]), int(zero_points[0])))
    return found


def test_every_same_scale_operator_is_covered() -> None:
    assert set(SAME_SCALE) | WITHOUT_ORACLE == properties.SAME_SCALE


def test_every_other_operator_is_covered() -> None:
    layers = {kind.value for kind in properties.LinearKind}
    for scales, covered in (
        (Scales.OWN, {*OWN_SCALE, *layers, "PRELU", "RELU_0_TO_1"}),
        (Scales.FIXED, set(FIXED_OUTPUT)),
        (Scales.NONE, set(NO_SCALE)),
    ):
        assert covered == {k for k, kernel in INT8_KERNELS.items() if kernel.scales is scales}


@pytest.mark.parametrize("kind", sorted(NO_SCALE))
def test_indices_and_truth_values_are_computed_from_codes(kind: str) -> None:
    def network(x: Any) -> Any:
        y = conv(x, 8, seed=1)
        return {"a": NO_SCALE[kind](y), "b": conv(y, 4, seed=2)}

    model = models.convert(network, models.IMAGE)
    data = models.samples(models.IMAGE)
    result = quantize(model, data, Config(method=Method.MINMAX))
    graph = Graph.from_bytes(result.model)
    operator = next(o for o in graph.operators if o.kind == kind)
    read = [graph.tensors[i] for i in operator.inputs if i >= 0]
    assert not any(tensor.is_float for tensor in read)
    # In float from the same codes; the graph's outputs are in the order of their names.
    made = graph.outputs.index(operator.outputs[0])
    found = running.run(result.model, data[0], Kernels.BUILTIN)[made]
    expected = running.run(model, data[0], Kernels.BUILTIN)[made]
    assert found.dtype == expected.dtype
    assert len(np.unique(found)) > 1
    # Equality with what was rounded on its way differs in most places.
    assert np.mean(found == expected) > (0.4 if "EQUAL" in kind and kind[0] in "EN" else 0.95)


@pytest.mark.parametrize("kind", sorted(ALL))
def test_writer_takes_every_planned_scale(kind: str) -> None:
    model = network(kind)
    assert kind in [o.kind for o in Graph.from_bytes(model).operators]
    data = models.samples(models.IMAGE)
    result = quantize(model, data, Config(method=Method.MINMAX))
    # Some are slow in INT8 on stock runtimes, which is said.
    assert [w for w in result.report.warnings if not w.startswith("On stock runtimes")] == []
    # Not the reference kernels: they lack newer versions, and their SUM ignores its zero points.
    exact, found = (running.run(m, data[0], Kernels.BUILTIN)[0] for m in (model, result.model))
    assert running.sqnr_db(exact, found) > 25
    graph = Graph.from_bytes(result.model)
    planned = {t.name: (t.scale, t.zero_point) for t in result.calibration.tensors}
    seen = 0
    for index in edit.computed_tensors(graph):
        tensor = graph.tensors[index]
        if tensor.name in planned and tensor.type_name == "INT8":
            scales, zero_points = running.parameters(graph, index)
            assert (float(scales[0]), int(zero_points[0])) == planned[tensor.name]
            seen += 1
    assert seen >= 2


@pytest.mark.parametrize("kind", sorted(SAME_SCALE))
def test_same_scale_operators(kind: str) -> None:
    inputs, outputs = parameters_of(differently_quantized(network(kind)), kind)
    if kind in WRONG_IN_TENSORFLOW:
        assert len(inputs | outputs) > 1
    elif kind in COPIES_CODES_WHATEVER_THE_SCALE:
        assert inputs != outputs
    else:
        assert len(inputs | outputs) == 1


@pytest.mark.parametrize("kind", sorted(FIXED_OUTPUT))
def test_fixed_outputs(kind: str) -> None:
    _, outputs = parameters_of(differently_quantized(network(kind)), kind)
    expected = INT8_KERNELS[kind].fixed
    assert expected is not None
    assert outputs == {(expected.scale, expected.zero_point)}


@pytest.mark.parametrize("kind", sorted(OWN_SCALE.keys() - FLOAT_IN_TENSORFLOW))
def test_other_operators_keep_the_scale_they_are_given(kind: str) -> None:
    assert kind not in properties.SAME_SCALE
    inputs, outputs = parameters_of(differently_quantized(network(kind)), kind)
    assert outputs
    assert not inputs & outputs


def test_linear_inputs_of_each_kind() -> None:
    graph = Graph.from_bytes(models.transpose_conv_net())
    for operator in graph.operators:
        activation, filters, bias = properties.linear_inputs(operator)
        assert not graph.tensors[activation].is_constant
        assert len(graph.tensors[filters].shape) == 4
        assert len(graph.tensors[bias].shape) == 1
        kind = properties.LinearKind(operator.kind)
        axis = properties.OUTPUT_CHANNEL_AXIS[kind]
        assert graph.tensors[filters].shape[axis] == graph.tensors[bias].shape[0]


def test_dense_layer_with_computed_weights_is_no_linear_layer() -> None:
    model = models.convert(
        lambda x: models.dense(tf.linalg.matmul(x, x, transpose_b=True), 3), (4, 4)
    )
    graph = Graph.from_bytes(model)
    constant = [properties.has_constant_filter(graph, o) for o in graph.operators]
    assert constant.count(True) == 1
    assert len(constant) == 2


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda x: tf.nn.relu(conv(x, 4)), True),
        (lambda x: tf.nn.relu6(conv(x, 4)), True),
        (lambda x: tf.nn.relu(tf.nn.leaky_relu(x)), True),
        (lambda x: conv(x, 4), False),
        (lambda x: tf.clip_by_value(conv(x, 4), -1.0, 1.0), False),
        (lambda x: tf.nn.leaky_relu(x), False),
    ],
)
def test_which_kernels_clamp_at_zero(layer: Layer, expected: bool) -> None:
    graph = Graph.from_bytes(models.convert(layer, models.IMAGE))
    producer = graph.producer(graph.outputs[0])
    assert producer is not None
    assert properties.makes_nonnegative(producer) == expected
