"""Which operators hide values from a softmax or a maximum, and what becomes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.normalization.networks import Builder
from tests.running import run
from tflite_eq import quantize
from tflite_eq.errors import ModelError
from tflite_eq.graph.masks import hiding_constants, mask_operators
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels

LOWEST = float(np.finfo(np.float32).min)


class Attention(Builder):
    """Scores of four keys for each of four queries, with parts of a mask."""

    def __init__(self) -> None:
        super().__init__(1, 4, 8)

    def scores(self) -> int:
        layer = self.operator
        keys = self.constant(np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32))
        options: Any = {"keepNumDims": True}
        return layer(
            "FULLY_CONNECTED",
            [self.input, keys, -1],
            (1, 4, 4),
            ("FullyConnectedOptions", options),
        )

    def upper(self, value: float, other: float = 0.0) -> int:
        """A constant with a value above the diagonal."""
        above = np.triu(np.ones((4, 4), bool), 1)
        return self.constant(np.where(above, value, other).astype(np.float32))

    def chosen(self, x: int, value: float) -> int:
        condition = self.constant(np.triu(np.ones((1, 4, 4), bool), 1))
        self.set_type(condition, "BOOL")
        hidden = self.constant(np.full((1, 4, 4), value, np.float32))
        return self.elementwise_of("SELECT_V2", [condition, hidden, x], x)

    def elementwise_of(self, kind: str, inputs: list[int], like: int) -> int:
        return self.operator(kind, inputs, self.shape_of(like))


def masked(mask: str, value: float, end: str = "SOFTMAX") -> bytes:
    net = Attention()
    x = net.scores()
    if mask == "ADD":
        x = net.elementwise("ADD", x, net.upper(value))
    elif mask == "SUB":
        x = net.elementwise("SUB", x, net.upper(-value))
    elif mask == "SUB from":
        x = net.operator("SUB", [net.upper(value), x], (1, 4, 4), ("SubOptions", {}))
    elif mask == "SELECT_V2":
        x = net.chosen(x, value)
    elif mask == "MUL":
        seen = net.elementwise("LOGISTIC", x)  # whatever a network may compute
        x = net.elementwise("ADD", x, net.elementwise("MUL", seen, net.upper(value)))
    elif mask == "moved":
        x = net.elementwise("ADD", x, net.upper(value))
        shape = net.constant(np.array([1, 1, 4, 4], np.int32))
        x = net.operator("RESHAPE", [x, shape], (1, 1, 4, 4), ("ReshapeOptions", {}))
    if end == "REDUCE_MAX":
        axis = net.constant(np.array([2], np.int32))
        options: Any = ("ReducerOptions", {"keepDims": True})
        return net.finished(net.operator(end, [x, axis], (1, 4, 1), options))
    return net.finished(net.elementwise(end, x))


def kinds_of_mask(data: bytes) -> list[str]:
    graph = Graph.from_bytes(data)
    return [graph.operators[index].kind for index in sorted(mask_operators(graph))]


@pytest.mark.parametrize("value", [-50.0, -1e4, -1e9, LOWEST, -np.inf])
@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("ADD", ["ADD", "SOFTMAX"]),
        ("SUB", ["SUB", "SOFTMAX"]),
        ("SUB from", ["SUB", "SOFTMAX"]),
        ("SELECT_V2", ["SELECT_V2", "SOFTMAX"]),
        ("moved", ["ADD", "RESHAPE", "SOFTMAX"]),
    ],
)
def test_reaches_from_the_constant_to_the_softmax(mask, expected, value) -> None:
    data = masked(mask, value)
    assert kinds_of_mask(data) == expected
    assert hiding_constants(Graph.from_bytes(data)) == [pytest.approx(value)]


def test_products_are_masks_once_they_are_added() -> None:
    assert kinds_of_mask(masked("MUL", -1e4)) == ["MUL", "ADD", "SOFTMAX"]


@pytest.mark.parametrize(
    ("mask", "value", "end"),
    [
        ("ADD", -20.0, "SOFTMAX"),  # a score like others
        ("ADD", -1e9, "LOGISTIC"),
        ("SUB", 60.0, "SOFTMAX"),  # takes nothing down
        ("SUB from", 60.0, "SOFTMAX"),
        ("MUL", -50.0, "SOFTMAX"),  # a large weight
        ("ADD", -1e9, "REDUCE_MAX"),
        ("SELECT_V2", 1e9, "REDUCE_MAX"),
    ],
)
def test_other_constants_are_values(mask, value, end) -> None:
    assert kinds_of_mask(masked(mask, value, end)) == []


def test_maxima_ignore_what_is_chosen_in_place_of_others() -> None:
    data = masked("SELECT_V2", -1e9, "REDUCE_MAX")
    assert kinds_of_mask(data) == ["SELECT_V2", "REDUCE_MAX"]


@pytest.mark.parametrize("value", [-1e9, LOWEST, -np.inf])
@pytest.mark.parametrize("mask", ["ADD", "SUB", "SELECT_V2", "MUL"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_quantized_network_still_tells_scores_apart(mask: str, value: float) -> None:
    data = masked(mask, max(value, -1e30) if mask == "MUL" else value)  # 0 times infinity is none
    rng = np.random.default_rng(1)
    samples = [[rng.standard_normal((1, 4, 8)).astype(np.float32)] for _ in range(16)]
    model = quantize(data, samples).model
    for sample in samples[:4]:
        (expected,), (found,) = (run(m, sample, Kernels.BUILTIN) for m in (data, model))
        assert np.abs(found - expected).max() < 0.1
        assert not found[0][np.triu_indices(4, 1)].any()  # hidden as before


def test_infinity_elsewhere_is_refused() -> None:
    with pytest.raises(ModelError, match="NaN or infinity"):
        quantize(masked("ADD", -np.inf, "LOGISTIC"), [[np.zeros((1, 4, 8), np.float32)]])
