"""PAD in front of a convolution becomes SAME padding where that is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.normalization.networks import Builder, check_same, kinds, opened
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.padding import fused


def padded(
    shape, amounts, size=(3, 3), stride=1, dilation=1, depthwise=False, value=None, padding="VALID"
):
    net = Builder(*shape)
    x = net.pad(net.input, amounts, value)
    return net.finished(net.convolution(x, size, stride, dilation, padding, depthwise))


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """From TensorFlow's documentation of tf.nn.convolution."""
    window = (kernel - 1) * dilation + 1
    rest = size % stride
    total = max(window - (rest or stride), 0)
    return total // 2, total - total // 2


@given(
    extent=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    depthwise=st.booleans(),
    value=st.sampled_from([None, 0.0]),
)
@settings(max_examples=60, deadline=None)
def test_what_same_padding_adds_is_taken_in(
    extent, size, stride, dilation, depthwise, value
) -> None:
    shape = (1, *extent, 4)
    dilation = 1 if depthwise and stride > 1 else dilation  # no kernel does both
    steps = ((n - 1) // stride * stride + (k - 1) * dilation + 1 for n, k in zip(extent, size))
    assume(all(end >= n for end, n in zip(steps, extent)))  # XNNPACK gets the others wrong
    around = [same_padding(n, k, stride, dilation) for n, k in zip(extent, size)]
    data = padded(shape, [(0, 0), *around, (0, 0)], size, stride, dilation, depthwise, value)
    graph, change = fused(Graph.from_bytes(data))
    assert kinds(graph) == ["DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"]
    assert change == "PAD in front of 1 convolution made SAME padding"
    check_same(data, graph, shape)


@given(
    extent=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    amounts=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_padded_the_result_is_the_same(extent, amounts, size, stride) -> None:
    shape = (1, *extent, 4)
    data = padded(shape, [(0, 0), *amounts, (0, 0)], size, stride)
    graph, _ = fused(Graph.from_bytes(data))
    check_same(data, graph, shape)


@pytest.mark.parametrize(
    "case",
    [
        {"amounts": [(0, 0), (1, 1), (1, 1), (0, 0)], "stride": 2},  # PyTorch's: one row further
        {"amounts": [(0, 0), (1, 0), (1, 0), (0, 0)], "size": (2, 2)},  # the other way round
        {"amounts": [(0, 0), (2, 2), (1, 1), (0, 0)]},
        {"amounts": [(0, 0), (1, 1), (1, 1), (0, 1)]},
        {"amounts": [(1, 0), (1, 1), (1, 1), (0, 0)]},
        {"amounts": [(0, 0), (1, 1), (1, 1), (0, 0)], "value": 0.5},
        {"amounts": [(0, 0), (1, 1), (1, 1), (0, 0)], "padding": "SAME"},
    ],
)
def test_leaves_other_paddings_alone(case) -> None:
    graph = Graph.from_bytes(padded((1, 8, 8, 4), **case))
    assert fused(graph) == (graph, None)


@pytest.mark.parametrize(("stride", "is_fused"), [(1, True), (2, False)])
def test_with_open_sizes_only_what_does_not_depend_on_them(stride: int, is_fused: bool) -> None:
    amounts = [(0, 0), (1, 1), (1, 1), (0, 0)]
    data = opened(padded((1, 9, 9, 4), amounts, stride=stride), 1, 2)
    graph, change = fused(Graph.from_bytes(data))
    assert (change is not None) == is_fused
    for size in (8, 9):
        check_same(data, graph, (1, size, size, 4))


def test_a_mirrored_edge_is_no_zeros_and_a_pool_is_no_convolution() -> None:
    net = Builder(1, 8, 8, 4)
    amounts = net.constant(np.array([(0, 0), (1, 1), (1, 1), (0, 0)], np.int32))
    mirrored = net.of("MIRROR_PAD", [net.input, amounts], (1, 10, 10, 4), "FLOAT32", mode=0)
    x = net.convolution(mirrored)
    pooled = net.max_pool(net.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]))
    graph = Graph.from_bytes(net.finished(pooled))
    assert fused(graph) == (graph, None)


def test_another_reader_of_the_padded_tensor_keeps_it() -> None:
    net = Builder(1, 8, 8, 4)
    x = net.pad(net.input, [(0, 0), (1, 1), (1, 1), (0, 0)])
    data = net.finished(net.convolution(x), net.convolution(x, stride=2))
    graph, _ = fused(Graph.from_bytes(data))
    assert kinds(graph) == ["PAD", "CONV_2D", "CONV_2D"]
    check_same(data, graph, (1, 8, 8, 4))
