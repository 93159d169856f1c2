"""CAST of an input comes before operators that move its values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.normalization.networks import Builder, kinds
from tests.running import run, sqnr_db
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.casts import moved_first

SHAPE = (1, 10, 12, 3)


def ints(net: Builder, *values) -> int:
    return net.constant(np.array(values, np.int32))


def transposed(net: Builder, x: int, kind: str) -> int:
    return net.of("TRANSPOSE", [x, ints(net, 0, 2, 1, 3)], (1, 12, 10, 3), kind)


def reshaped_and_sliced(net: Builder, x: int, kind: str) -> int:
    x = net.of("RESHAPE", [x, ints(net, 1, 10, 6, 6)], (1, 10, 6, 6), kind)
    ends = ints(net, 0, 1, 0, 0), ints(net, 1, 9, 6, 6), ints(net, 1, 1, 1, 1)
    return net.of("STRIDED_SLICE", [x, *ends], (1, 8, 6, 6), kind)


def untouched(net: Builder, x: int, kind: str) -> int:
    return x


def network(move, kind: str, others=lambda net, x: []) -> bytes:
    net = Builder(*SHAPE)
    net.set_type(net.input, kind)
    x = move(net, net.input, kind)
    extra = others(net, x)
    x = net.of("CAST", [x], net.shape_of(x), "FLOAT32")
    x = net.convolution(x, channels=8, activation="RELU")
    return net.finished(net.spatial("MEAN", x), *extra)


def samples(kind: str, count: int):
    ends = np.iinfo(kind.lower())
    rng = np.random.default_rng(1)
    return [
        [rng.integers(ends.min, ends.max, SHAPE, kind.lower(), endpoint=True)] for _ in range(count)
    ]


@pytest.mark.parametrize("kind", ["UINT8", "INT8"])
@pytest.mark.parametrize(
    ("move", "expected"),
    [(transposed, ["TRANSPOSE"]), (reshaped_and_sliced, ["RESHAPE", "STRIDED_SLICE"])],
)
def test_computes_the_same_and_is_quantized(move, expected, kind) -> None:
    data = network(move, kind)
    graph, change = moved_first(Graph.from_bytes(data))
    assert change == "CAST of 1 input moved to the front"
    assert kinds(graph) == ["CAST", *expected, "CONV_2D", "MEAN"]
    given = samples(kind, 6)
    np.testing.assert_array_equal(run(schema.serialize(graph.model), given[0]), run(data, given[0]))
    result = quantize(data, given[1:])
    written = Graph.from_bytes(result.model)
    assert kinds(written)[:-1] == ["QUANTIZE", *expected, "CONV_2D", "MEAN"]
    assert sqnr_db(run(data, given[0])[0], run(result.model, given[0])[0]) > 30


def read_twice(net: Builder, x: int) -> list[int]:
    return [net.of("RESHAPE", [x, ints(net, 1, -1)], (1, 360), "UINT8")]


@pytest.mark.parametrize(
    ("move", "others"), [(untouched, lambda net, x: []), (transposed, read_twice)]
)
def test_leaves_others_alone(move, others) -> None:
    graph = Graph.from_bytes(network(move, "UINT8", others))
    assert moved_first(graph) == (graph, None)
