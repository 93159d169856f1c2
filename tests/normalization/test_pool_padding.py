"""What MAX_POOL_2D is padded with and never takes becomes SAME padding, or zeros."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.normalization.networks import Builder, check_same, kinds
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.pool_padding import settled

LOWEST = float(np.finfo(np.float32).min)


def padded_pool(extent, amounts, value, size=3, stride=2, activation="NONE"):
    net = Builder(1, *extent, 3)
    x = net.convolution(net.input, (1, 1), activation=activation)
    x = net.pad(x, [(0, 0), *amounts, (0, 0)], value)
    return net.finished(pool(net, x, size, stride))


def pool(net, x, size=3, stride=2):
    batch, height, width, channels = net.shape_of(x)
    options = {"filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride}
    options["padding"] = 1  # VALID
    shape = (batch, (height - size) // stride + 1, (width - size) // stride + 1, channels)
    return net.operator("MAX_POOL_2D", [x], shape, ("Pool2DOptions", options))


@given(
    extent=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    amounts=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    size=st.integers(1, 5),
    stride=st.integers(1, 3),
    value=st.sampled_from([None, 0.0, -1.0, 0.5, -65504.0, LOWEST, -np.inf]),
    activation=st.sampled_from(["NONE", "RELU"]),
)
@settings(max_examples=120, deadline=None)
def test_computes_the_same_however_it_is_padded(
    extent, amounts, size, stride, value, activation
) -> None:
    data = padded_pool(extent, amounts, value, size, stride, activation)
    graph, _ = settled(Graph.from_bytes(data))
    check_same(data, graph, (1, *extent, 3))


@pytest.mark.parametrize("value", [-65504.0, LOWEST, -np.inf])
@pytest.mark.parametrize(("size", "stride", "extent"), [(5, 1, (8, 8)), (3, 2, (9, 7))])
def test_becomes_the_same_padding_that_it_is(value, size, stride, extent) -> None:
    data = padded_pool(extent, [(size // 2, size // 2)] * 2, value, size, stride)
    graph, change = settled(Graph.from_bytes(data))
    assert kinds(graph) == ["CONV_2D", "MAX_POOL_2D"]
    assert change == "PAD in front of 1 MAX_POOL_2D made SAME padding"
    check_same(data, graph, (1, *extent, 3))


def test_becomes_zeros_behind_a_relu() -> None:
    data = padded_pool((8, 8), [(1, 1)] * 2, -np.inf, activation="RELU")
    graph, change = settled(Graph.from_bytes(data))
    assert kinds(graph) == ["CONV_2D", "PADV2", "MAX_POOL_2D"]
    assert change == "1 PADV2 in front of MAX_POOL_2D made to pad with zeros"
    check_same(data, graph, (1, 8, 8, 3))


@pytest.mark.parametrize(
    ("value", "activation", "amounts"),
    [
        (-10.0, "NONE", (1, 1)),  # the convolution may give less
        (None, "NONE", (1, 1)),
        (0.5, "RELU", (1, 1)),  # may be the largest
        (-np.inf, "NONE", (1, 1)),  # zeros may be the largest, and SAME padding lies elsewhere
        (-np.inf, "RELU", (3, 3)),  # a window sees padding alone
    ],
)
def test_is_left_alone_where_it_counts(value, activation, amounts) -> None:
    graph = Graph.from_bytes(padded_pool((8, 8), [amounts] * 2, value, activation=activation))
    assert settled(graph) == (graph, None)


def test_another_reader_of_the_padding_keeps_its_value() -> None:
    net = Builder(1, 8, 8, 3)
    x = net.convolution(net.input, (1, 1), activation="RELU")
    x = net.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], -1.0)
    graph = Graph.from_bytes(net.finished(pool(net, x), net.elementwise("ABS", x)))
    assert settled(graph) == (graph, None)


def test_a_padding_of_minus_infinity_is_quantized() -> None:
    rng = np.random.default_rng(0)
    samples = [[rng.standard_normal((1, 8, 8, 3)).astype(np.float32)] for _ in range(4)]
    data = padded_pool((8, 8), [(1, 1)] * 2, -np.inf, activation="RELU")
    found = kinds(Graph.from_bytes(quantize(data, samples).model))
    assert [kind for kind in found if "QUANTIZE" not in kind] == ["CONV_2D", "PADV2", "MAX_POOL_2D"]
