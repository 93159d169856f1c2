from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_eq.numerics.affine import (
    AffineParams,
    dequantize,
    ends_of,
    fake_quantize,
    quantize,
    round_half_away,
)

reals = st.floats(-1e6, 1e6, width=32)
params = st.builds(AffineParams, st.floats(2**-20, 2**10, width=32), st.integers(-128, 127))


def rounded_exactly(value: float) -> int:
    """Halves away from zero, in rational arithmetic."""
    magnitude = math.floor(abs(Fraction(value)) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 1),
        (-0.5, -1),
        (1.5, 2),
        (2.5, 3),
        (-2.5, -3),
        (0.49999997, 0),  # the largest float32 below one half
        (-0.49999997, 0),
        (8388607.5, 8388608),
        (8388609.0, 8388609),  # adding one half would round this to an even neighbour
        (16777217.0, 16777216),  # no float32; its neighbour must pass unchanged
    ],
)
def test_rounding_by_hand(value: float, expected: float) -> None:
    assert round_half_away(np.array([value], np.float32))[0] == expected


@given(st.floats(-(2.0**24), 2.0**24, width=32))
def test_rounding_is_exact(value: float) -> None:
    assert round_half_away(np.array([value], np.float32))[0] == rounded_exactly(value)


def test_rounding_leaves_its_argument_alone() -> None:
    values = np.array([0.5, 1.25], np.float32)
    round_half_away(values)
    assert values.tolist() == [0.5, 1.25]


def test_codes_by_hand() -> None:
    values = np.array([-100.0, -1.0, -0.25, 0.0, 0.24, 0.25, 100.0], np.float32)
    codes = quantize(values, AffineParams(0.5, 3))
    assert codes.dtype == np.int8
    # -0.25 and 0.25 are half a step from 0 and go away from it.
    assert codes.tolist() == [-128, 1, 2, 3, 3, 4, 127]


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
def test_codes_saturate(zero_point: int) -> None:
    codes = quantize(np.array([-3e38, 3e38], np.float32), AffineParams(1.0, zero_point))
    assert codes.tolist() == [-128, 127]


@given(reals, params)
def test_round_trip_errs_by_at_most_half_a_step_inside_the_range(
    value: float, params: AffineParams
) -> None:
    low, high = params.real_range
    value = float(np.float32(min(max(value, low), high)))
    real = float(dequantize(quantize(np.array([value], np.float32), params), params)[0])
    assert abs(real - value) <= params.scale * (0.5 + 1e-4)


@given(reals, params)
def test_round_trip_beyond_the_range_ends_at_its_end(value: float, params: AffineParams) -> None:
    low, high = params.real_range
    real = float(dequantize(quantize(np.array([value], np.float32), params), params)[0])
    if value > high:
        assert real == pytest.approx(high, rel=1e-6)
    if value < low:
        assert real == pytest.approx(low, rel=1e-6)


@given(st.lists(reals, min_size=1, max_size=20), params)
def test_fake_quantization_is_the_round_trip_but_for_exact_halves(
    values: list[float], params: AffineParams
) -> None:
    array = np.array(values, np.float32)
    steps = array * (np.float32(1) / np.float32(params.scale))
    is_half = np.abs(steps - np.trunc(steps)) == 0.5
    fake, real = fake_quantize(array, params), dequantize(quantize(array, params), params)
    np.testing.assert_array_equal(fake[~is_half], real[~is_half])
    assert np.abs(fake - real).max() <= params.scale * 1.001


@given(st.integers(-128, 127), params)
def test_codes_survive_a_round_trip(code: int, params: AffineParams) -> None:
    codes = np.array([code], np.int8)
    assert quantize(dequantize(codes, params), params)[0] == code


@given(params, reals)
def test_a_value_without_dimensions_is_as_one_in_a_vector(
    params: AffineParams, value: float
) -> None:
    single, vector = np.float32(value).reshape(()), np.array([value], np.float32)
    for function in (quantize, fake_quantize):
        found = function(single, params)
        assert found.shape == ()
        assert found == function(vector, params)[0]
    assert dequantize(quantize(single, params), params).shape == ()


@given(params)
def test_zero_is_represented_exactly(params: AffineParams) -> None:
    zero = np.zeros(1, np.float32)
    assert quantize(zero, params)[0] == params.zero_point
    assert fake_quantize(zero, params)[0] == 0


def test_scale_is_held_as_the_flatbuffer_stores_it() -> None:
    assert AffineParams(0.1, 0).scale == float(np.float32(0.1))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, 1e39, 1e-60])
def test_unusable_scales_are_refused(scale: float) -> None:
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="scale must be"):
        AffineParams(scale, 0)


@pytest.mark.parametrize("zero_point", [-129, 128])
def test_zero_points_beyond_int8_are_refused(zero_point: int) -> None:
    with pytest.raises(ValueError, match="zero point"):
        AffineParams(1.0, zero_point)


def test_real_range_by_hand() -> None:
    assert AffineParams(0.5, -28).real_range == (-50.0, 77.5)


def test_values_beyond_all_codes_saturate_without_a_warning() -> None:
    params = AffineParams(1e-30, 3)
    values = np.array([3e38, -3e38, 0.0], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codes = quantize(values, params)
    assert codes.tolist() == [127, -128, 3]


def test_value_without_dimensions() -> None:
    params = AffineParams(0.5, 3)
    value = np.array(1.25, np.float32)
    codes = quantize(value, params)
    assert (codes.shape, codes.dtype, int(codes)) == ((), np.int8, 6)
    assert float(dequantize(codes, params)) == 1.5
    assert float(fake_quantize(value, params)) == 1.0  # halves to even


@given(st.lists(reals, min_size=1, max_size=40), params, st.booleans(), st.floats(0, 1e5, width=32))
def test_known_ends_change_nothing(
    numbers: list[float], params: AffineParams, is_positive: bool, beyond: float
) -> None:
    values = np.array(numbers, np.float32)
    values = np.abs(values) if is_positive else values
    low, high = ends_of(values)
    for ends in ((low, high), (max(low - beyond, 0.0) if is_positive else low - beyond, high)):
        np.testing.assert_array_equal(quantize(values, params, ends=ends), quantize(values, params))
        np.testing.assert_array_equal(
            fake_quantize(values, params, ends=ends), fake_quantize(values, params)
        )


@pytest.mark.parametrize(("zero_point", "low", "high"), [(100, 0, 63), (-100, -64, 63), (0, 3, 9)])
def test_codes_of_positive_values_end_where_they_are_to(
    zero_point: int, low: int, high: int
) -> None:
    limited = AffineParams(0.5, zero_point, low, high)
    values = np.arange(0, 200, 0.25, dtype=np.float32)
    expected = [min(max(rounded_exactly(v / 0.5) + zero_point, low), high) for v in values.tolist()]
    assert quantize(values, limited, ends=ends_of(values)).tolist() == expected


def test_real_values_are_written_where_they_are_wanted() -> None:
    codes = np.random.default_rng(0).integers(-128, 128, (3, 20_000)).astype(np.int8)
    params, out = AffineParams(0.37, -5), np.empty((3, 20_000), np.float32)
    assert dequantize(codes, params, out) is out
    np.testing.assert_array_equal(out, (codes.astype(np.float32) + 5) * np.float32(params.scale))
