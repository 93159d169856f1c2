"""SAME padding that pads nothing is left out where windows step further than they reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.normalization.networks import Builder, check_same, opened
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.skipped_pixels import unpadded


def convolution(shape, size, stride, dilation=1, depthwise=False):
    net = Builder(*shape)
    return net.finished(net.convolution(net.input, size, stride, dilation, "SAME", depthwise))


def pool(kind, shape, size, stride):
    batch, height, width, channels = shape
    net = Builder(*shape)
    options = {"filterHeight": size[0], "filterWidth": size[1], "strideH": stride}
    values = {**options, "strideW": stride, "padding": schema.schema().Padding.SAME}
    made = (batch, -(-height // stride), -(-width // stride), channels)
    return net.finished(net.operator(kind, [net.input], made, ("Pool2DOptions", values)))


def pads(size: int, window: int, stride: int) -> int:
    """From TensorFlow's documentation of tf.nn.convolution."""
    return max(window - (size % stride or stride), 0)


@given(
    extent=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 2),
    depthwise=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_only_where_no_axis_is_padded(extent, size, stride, dilation, depthwise) -> None:
    shape = (1, *extent, 4)
    dilation = 1 if depthwise and stride > 1 else dilation  # no kernel does both
    data = convolution(shape, size, stride, dilation, depthwise)
    given_graph = Graph.from_bytes(data)
    graph, change = unpadded(given_graph)
    windows = [(k - 1) * dilation + 1 for k in size]
    is_padded = any(pads(n, window, stride) for n, window in zip(extent, windows))
    steps_over = any(stride > window for window in windows) and max(windows) > 1
    assert (change is not None) == (steps_over and not is_padded)
    is_same = graph.operators[0].options.padding == schema.schema().Padding.SAME
    assert is_same == (change is None)
    check_same(data, graph, shape)


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_of_pools_too(kind: str) -> None:
    shape = (1, 9, 12, 4)
    data = pool(kind, shape, (2, 2), 4)
    assert unpadded(Graph.from_bytes(data))[1] is None  # the last row would be half a window
    data = pool(kind, (1, 10, 12, 4), (2, 2), 4)
    graph, change = unpadded(Graph.from_bytes(data))
    assert change == "SAME padding of nothing by 1 convolution or pool left out"
    check_same(data, graph, (1, 10, 12, 4))


@pytest.mark.parametrize(("size", "is_changed"), [((2, 1), False), ((1, 2), True)])
def test_of_an_open_axis_only_single_pixels(size, is_changed: bool) -> None:
    data = opened(convolution((1, 9, 10, 4), size, 4), 1)
    graph, change = unpadded(Graph.from_bytes(data))
    assert (change is not None) == is_changed
    for height in (8, 9):
        check_same(data, graph, (1, height, 10, 4))


def test_every_runtime_computes_the_quantized_convolution() -> None:
    rng = np.random.default_rng(0)
    samples = [[rng.standard_normal((1, 32, 32, 3)).astype(np.float32)] for _ in range(4)]
    model = quantize(convolution((1, 32, 32, 3), (3, 3), 4), samples).model  # compares all of them
    (conv,) = [o for o in Graph.from_bytes(model).operators if o.kind == "CONV_2D"]
    assert conv.options.padding == schema.schema().Padding.VALID
