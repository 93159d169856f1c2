"""Operators on constants alone."""

from __future__ import annotations

import numpy as np

from tests.built_models import NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.folded_constants import folded

SHAPE = (2, 3)


def test_chains_are_computed_once() -> None:
    net = NetworkBuilder(*SHAPE)
    values = net.constant(np.float32([[1, -2, 3], [4, 5, -6]]))
    made = net.elementwise("ADD", net.elementwise("EXP", net.elementwise("TANH", values)), values)
    graph, change = after(
        net.finished(net.elementwise("MUL", net.input, made)), folded, within=1e-6
    )
    assert kinds(graph) == ["MUL"]
    assert change == "3 operators on constants computed beforehand"


def test_several_results() -> None:
    net = NetworkBuilder(2, 2)
    one, other = net.split(net.constant(np.float32([[1, 2, 3, 4], [5, 6, 7, 8]])), 2)
    made = net.elementwise("MUL", net.elementwise("ADD", net.input, one), other)
    graph, _ = after(net.finished(made), folded)
    assert kinds(graph) == ["ADD", "MUL"]


def test_integers_and_truth_values() -> None:
    net = NetworkBuilder(*SHAPE)
    one, two = net.constant(np.int32([[1, 5, 3], [0, 2, 9]])), net.constant(np.int32([[2] * 3] * 2))
    sums = net.operator("ADD", [one, two], SHAPE, ("AddOptions", {}), "INT32")
    mask = net.operator("GREATER", [sums, two], SHAPE, ("GreaterOptions", {}), "BOOL")
    zeros = net.constant(np.zeros(SHAPE, np.float32))
    made = net.operator("SELECT_V2", [mask, net.input, zeros], SHAPE, ("SelectV2Options", {}))
    graph, _ = after(net.finished(made), folded)
    assert kinds(graph) == ["SELECT_V2"]


def test_huge_and_random_results_stay_computed() -> None:
    net = NetworkBuilder(1, 1)
    shape = (1, 1 << 23)
    sizes = net.constant(np.int32(shape))
    filled = net.operator("FILL", [sizes, net.constant(np.float32(2))], shape, ("FillOptions", {}))
    random = net.operator(
        "RANDOM_UNIFORM", [net.constant(np.int32([1, 1]))], (1, 1), ("RandomOptions", {"seed": 1})
    )
    made = net.elementwise("ADD", net.input, random)
    made = net.operator("MUL", [made, filled], shape, ("MulOptions", {}))
    graph, change = after(net.finished(made), folded, within=None)
    assert "FILL" in kinds(graph)
    assert "RANDOM_UNIFORM" in kinds(graph)
    assert change is None


def test_constant_output_is_left_to_the_check_for_it() -> None:
    net = NetworkBuilder(*SHAPE)
    made = net.elementwise("TANH", net.constant(np.float32([[1, 2, 3]])))
    _, change = after(net.finished(net.elementwise("TANH", net.input), made), folded)
    assert change is None


def test_filter_that_is_computed_of_constants_is_quantized() -> None:
    net = NetworkBuilder(1, 12, 12, 3)
    x = net.spatial("MEAN", net.conv(net.input, 8))
    filters = net.constant(np.float32(np.random.default_rng(3).normal(size=(4, 8))))
    scaled = net.operator(
        "MUL",
        [filters, net.constant(np.float32([[0.5], [1], [2], [3]]))],
        (4, 8),
        ("MulOptions", {}),
    )
    result = quantize(net.finished(net.dense_of(x, scaled)), samples())
    assert kinds(Graph.from_bytes(result.model)).count("MUL") == 0
    assert len(result.calibration.layers) == 2
