"""Shapes that a network computes are constants where nothing open is lost."""

from __future__ import annotations

import numpy as np
import pytest

from tests.normalization.networks import Builder, check_same, kinds, opened
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.shape_arithmetic import folded

SHAPE = (1, 6, 8, 4)


def number(net: Builder, value: int) -> int:
    return net.constant(np.array(value, np.int32))


def numbers(net: Builder, *values: int) -> int:
    return net.constant(np.array(values, np.int32))


def size_of(net: Builder, x: int, axis: int) -> int:
    """One size, as converters take it out of the shape."""
    ends = numbers(net, axis), numbers(net, axis + 1), numbers(net, 1)
    return net.of("STRIDED_SLICE", [net.shape(x), *ends], (), "INT32", shrinkAxisMask=1)


def packed(net: Builder, *sizes: int) -> int:
    return net.of("PACK", sizes, (len(sizes),), "INT32", valuesCount=len(sizes))


def reshaped(net: Builder, x: int, wanted: int, *shape: int) -> bytes:
    result = net.of("RESHAPE", [x, wanted], shape, "FLOAT32")
    return net.finished(result)


def flattened(net: Builder, x: int) -> bytes:
    wanted = packed(net, size_of(net, x, 0), number(net, 192))
    return reshaped(net, x, wanted, 1, 192)


def boxes(net: Builder, x: int) -> bytes:
    """As detectors have it: the number of boxes is left to the runtime."""
    wanted = packed(net, size_of(net, x, 0), number(net, -1), number(net, 2))
    return reshaped(net, x, wanted, 1, 96, 2)


def multiplied(net: Builder, x: int) -> bytes:
    pixels = net.of("MUL", [size_of(net, x, 1), size_of(net, x, 2)], (), "INT32")
    wanted = packed(net, size_of(net, x, 0), pixels, size_of(net, x, 3))
    return reshaped(net, x, wanted, 1, 48, 4)


def concatenated(net: Builder, x: int) -> bytes:
    ends = numbers(net, 0), numbers(net, 3), numbers(net, 1)
    start = net.of("STRIDED_SLICE", [net.shape(x), *ends], (3,), "INT32")
    wanted = net.of("CONCATENATION", [start, numbers(net, 2, 2)], (5,), "INT32", axis=0)
    return reshaped(net, x, wanted, 1, 6, 8, 2, 2)


def gathered(net: Builder, x: int) -> bytes:
    first = net.of("GATHER", [net.shape(x), numbers(net, 0, 1)], (2,), "INT32")
    rest = net.of("GATHER", [net.shape(x), numbers(net, 2, 3)], (2,), "INT32")
    product = net.of("REDUCE_PROD", [rest, numbers(net, 0)], (1,), "INT32", keepDims=True)
    wanted = net.of("CONCATENATION", [first, product], (3,), "INT32", axis=0)
    return reshaped(net, x, wanted, 1, 6, 32)


def all_but_the_batch(net: Builder, x: int) -> bytes:
    whole = net.of("REDUCE_PROD", [net.shape(x), numbers(net, 0)], (), "INT32")
    rest = net.of("FLOOR_DIV", [whole, size_of(net, x, 0)], (), "INT32")
    return reshaped(net, x, packed(net, number(net, -1), rest), 1, 192)


def by_the_batch_of_the_input(net: Builder, x: int) -> bytes:
    y = net.elementwise("RELU", net.convolution(x, padding="SAME"))
    y = net.pad(y, [(0, 0), (1, 0), (0, 0), (0, 0)])
    wanted = packed(net, size_of(net, net.input, 0), number(net, -1))
    return reshaped(net, y, wanted, 1, 224)


ALL = [
    *(flattened, boxes, multiplied, concatenated, gathered, all_but_the_batch),
    by_the_batch_of_the_input,
]


@pytest.mark.parametrize("network", ALL)
def test_one_open_size_is_left_to_the_runtime(network) -> None:
    net = Builder(*SHAPE)
    data = opened(network(net, net.input), 0)
    graph, change = folded(Graph.from_bytes(data))
    count = len(Graph.from_bytes(data).operators) - len(graph.operators)
    assert change == f"{count} operators of shape arithmetic computed beforehand"
    assert kinds(graph)[-1] == "RESHAPE"
    assert "SHAPE" not in kinds(graph)
    target = graph.constant(graph.operators[-1].inputs[1]).tolist()
    assert target[0] == -1
    assert min(target[1:]) > 0
    for batch in (1, 3):
        check_same(data, graph, (batch, *SHAPE[1:]))


@pytest.mark.parametrize("network", ALL)
def test_of_fixed_sizes_nothing_is_left(network) -> None:
    net = Builder(*SHAPE)
    data = network(net, net.input)
    graph, _ = folded(Graph.from_bytes(data))
    target = graph.constant(graph.operators[-1].inputs[1]).tolist()
    assert target == list(graph.tensors[graph.outputs[0]].shape)
    check_same(data, graph, SHAPE)


@pytest.mark.parametrize("network", [multiplied, concatenated, gathered])
def test_two_open_sizes_are_computed_as_before(network) -> None:
    net = Builder(*SHAPE)
    data = opened(network(net, net.input), 0, 1)
    graph, _ = folded(Graph.from_bytes(data))
    assert "SHAPE" in kinds(graph)
    check_same(data, graph, (2, 5, *SHAPE[2:]))


def test_an_open_size_of_another_tensor_is_no_known_one() -> None:
    """Behind SPACE_TO_BATCH_ND the batch is another."""
    net = Builder(*SHAPE)
    x = net.space_to_batch(net.input, (2, 2), [(0, 0), (0, 0)])
    wanted = packed(net, size_of(net, net.input, 0), number(net, -1), number(net, 2))
    data = opened(reshaped(net, x, wanted, 1, 96, 2), 0)
    graph, _ = folded(Graph.from_bytes(data))
    assert "SHAPE" in kinds(graph)
    check_same(data, graph, (3, *SHAPE[1:]))


def test_sizes_of_other_operators_than_reshape_are_constants_where_they_are_known() -> None:
    net = Builder(*SHAPE)
    twice = net.of("MUL", [size_of(net, net.input, 1), number(net, 2)], (), "INT32")
    wanted = packed(net, twice, size_of(net, net.input, 2))
    x = net.of("RESIZE_BILINEAR", [net.input, wanted], (1, 12, 8, 4), "FLOAT32")
    data = opened(net.finished(x), 0)
    graph, _ = folded(Graph.from_bytes(data))
    assert kinds(graph) == ["RESIZE_BILINEAR"]
    assert graph.constant(graph.operators[0].inputs[1]).tolist() == [12, 8]
    check_same(data, graph, (2, *SHAPE[1:]))


def test_leaves_networks_without_alone() -> None:
    net = Builder(*SHAPE)
    graph = Graph.from_bytes(opened(net.finished(net.convolution(net.input)), 0))
    assert folded(graph) == (graph, None)
