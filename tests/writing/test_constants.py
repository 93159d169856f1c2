from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tflite_eq.numerics.affine import AffineParams
from tflite_eq.writing import constants

values = arrays.arrays(
    np.float32, st.integers(1, 20), elements=st.floats(-(2.0**20), 2.0**20, width=32)
)


def real(codes: constants.Codes) -> npt.NDArray[Any]:
    return (codes.values.astype(np.float64) - codes.zero_point) * codes.scales[0].astype(np.float64)


@given(values)
def test_own_scale_holds_every_value_to_half_a_step(operand: npt.NDArray[np.float32]) -> None:
    codes = constants.operand(operand, None)
    # Half a step for the value, another for zero, which has to be a code; float32 arithmetic.
    assert np.abs(real(codes) - operand).max() <= float(codes.scales[0]) * 1.001
    span = max(float(operand.max()), 0) - min(float(operand.min()), 0)
    assert float(codes.scales[0]) <= max(span, 1e-6) / 255 * 1.001


@given(values)
def test_symmetric_scale_holds_every_value_to_half_a_step(
    operand: npt.NDArray[np.float32],
) -> None:
    codes = constants.operand(operand, None, symmetric=True)
    assert codes.zero_point == 0
    assert codes.values.min() >= -127
    assert np.abs(real(codes) - operand).max() <= float(codes.scales[0]) * 0.501


@given(values, st.floats(2.0**-10, 2.0**10, width=32), st.integers(-128, 127))
def test_codes_under_a_given_scale_are_the_nearest(
    operand: npt.NDArray[np.float32], scale: float, zero_point: int
) -> None:
    codes = constants.operand(operand, AffineParams(scale, zero_point))
    step = Fraction(float(codes.scales[0]))
    for value, code in zip(operand.tolist(), codes.values.tolist()):
        exact = Fraction(value) / step + zero_point
        nearest = min(max(exact, Fraction(-128)), Fraction(127))
        assert abs(nearest - code) <= Fraction(1, 2) + Fraction(1, 10**9)


@pytest.mark.parametrize(("value", "code"), [(0.5, 1), (-0.5, -1), (2.5, 3), (-2.5, -3), (0.4, 0)])
def test_halves_round_away_from_zero(value: float, code: int) -> None:
    codes = constants.operand(np.array([value], np.float32), AffineParams(1.0, 5))
    assert codes.values.tolist() == [code + 5]


@pytest.mark.parametrize("symmetric", [False, True])
def test_zeros_are_zero_under_some_scale(symmetric: bool) -> None:
    codes = constants.operand(np.zeros((2, 3), np.float32), None, symmetric)
    assert codes.values.shape == (2, 3)
    assert not real(codes).any()
    assert codes.scales[0] > 0
