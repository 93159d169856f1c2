"""How low tensors can get, against all codes on integer kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import running
from tests.simulation.functions import function_graph, int8_function
from tflite_eq.config import ActivationMode
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.windows import affine_for
from tflite_eq.runtimes import Kernels, available_runtimes
from tflite_eq.simulation.floors import floor_of

SOURCE = AffineParams(0.05, 27)  # codes -128..127 are -7.75..5.0


def only(kind: str, alpha: float = 0.1) -> tuple[Graph, Operator, dict[int, AffineParams]]:
    graph = function_graph(kind, alpha)
    operator = graph.operators[0]
    return graph, operator, {operator.inputs[0]: SOURCE}


@pytest.mark.parametrize(
    ("kind", "alpha", "expected"),
    [
        ("LEAKY_RELU", 0.1, -0.775),
        ("LEAKY_RELU", 1.0, -7.75),
        ("LEAKY_RELU", 0.0, 0.0),
        ("LEAKY_RELU", -0.5, 0.0),
        ("ELU", 0.0, math.exp(-7.75) - 1),
        ("GELU", 0.0, -0.75 * 0.5 * math.erfc(0.75 / math.sqrt(2))),  # the least is at -0.7518
        ("RELU", 0.0, 0.0),
        ("RELU6", 0.0, 0.0),
    ],
)
def test_floors_by_hand(kind: str, alpha: float, expected: float) -> None:
    graph, operator, params = only(kind, alpha)
    assert floor_of(graph, [operator], params) == pytest.approx(expected, abs=1e-6)


def test_floor_follows_the_codes_and_not_the_function() -> None:
    """A GELU whose input ends before its least value, an ELU whose input is never negative."""
    graph, operator, _ = only("GELU")
    source = operator.inputs[0]
    found = floor_of(graph, [operator], {source: AffineParams(0.25 / 128, 0)})
    assert found == pytest.approx(-0.25 * 0.5 * math.erfc(0.25 / math.sqrt(2)), abs=1e-6)
    graph, operator, _ = only("ELU")
    assert floor_of(graph, [operator], {operator.inputs[0]: AffineParams(0.1, -128)}) == 0


@pytest.mark.parametrize("kind", ["HARD_SWISH", "TANH", "RELU_N1_TO_1"])
def test_other_functions_have_none(kind: str) -> None:
    graph, operator, params = only(kind)
    assert floor_of(graph, [operator], params) is None


def test_unknown_writers_and_unknown_inputs_have_none() -> None:
    graph, operator, params = only("LEAKY_RELU")
    assert floor_of(graph, [operator, None], params) is None
    assert floor_of(graph, [None], params) is None
    assert floor_of(graph, [operator], {}) is None


def test_the_lowest_of_several_writers_counts() -> None:
    graph, leaky, params = only("LEAKY_RELU")
    other, relu, _ = only("RELU")
    assert floor_of(other, [relu], {}) == 0  # whatever its input's codes
    assert floor_of(graph, [relu, leaky], params) == pytest.approx(-0.775)
    assert floor_of(graph, [], params) == 0


@settings(deadline=None, max_examples=40)
@given(
    st.one_of(
        st.tuples(st.just("LEAKY_RELU"), st.floats(2.0**-10, 1, width=32)),
        st.tuples(st.sampled_from(["ELU", "GELU"]), st.just(0.0)),
    ),
    st.floats(0.001, 0.5),
    st.integers(-128, 127),
    st.floats(0.01, 2),
)
def test_no_kernel_writes_a_code_below_the_window(
    function: tuple[str, float], scale: float, zero_point: int, part: float
) -> None:
    """The promise, for every code an input can have, however much the window is clipped above."""
    graph = function_graph(*function)
    operator = graph.operators[0]
    source = AffineParams(scale, zero_point)
    floor = floor_of(graph, [operator], {operator.inputs[0]: source})
    high = source.real_range[1] * part
    result, window = affine_for(0.0, high, True, ActivationMode.ASYMMETRIC, floor)
    assert (window.low, window.high, window.saturates) == (0, 127, True)
    model = int8_function(*function, source, result)
    codes = np.arange(-128, 128).astype(np.int8)[None]
    for runtime in available_runtimes():
        for kernels in Kernels:
            if function[0] == "ELU" and kernels is Kernels.REFERENCE:
                continue  # no runtime has a reference kernel for it
            found = running.run(model, [codes], kernels, runtime)[0]
            assert found.min() >= 0, (runtime.name, kernels)
