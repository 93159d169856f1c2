from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tflite_eq.config import ActivationMode
from tflite_eq.numerics.affine import dequantize, quantize
from tflite_eq.numerics.windows import MIN_SPAN, Window, affine_for

ASYMMETRIC, SYMMETRIC = ActivationMode.ASYMMETRIC, ActivationMode.SYMMETRIC

ends = st.floats(0, 2.0**30, width=32)
modes = st.sampled_from(ActivationMode)


@pytest.mark.parametrize(
    ("interval", "int7", "mode", "scale", "zero_point", "window"),
    [
        ((0, 25.5), False, ASYMMETRIC, 0.1, -128, (-128, 127)),
        ((0, 12.7), True, ASYMMETRIC, 0.1, 0, (0, 127)),
        ((-25.5, 0), False, ASYMMETRIC, 0.1, 127, (-128, 127)),
        ((-12.8, 12.7), False, ASYMMETRIC, 0.1, 0, (-128, 127)),
        ((-6.4, 6.3), True, ASYMMETRIC, 0.1, 0, (-64, 63)),
        ((-12.7, 0), True, ASYMMETRIC, 0.1, 63, (-64, 63)),
        ((-2.5, 12.7), False, SYMMETRIC, 0.1, 0, (-127, 127)),
        ((-6.3, 1.0), True, SYMMETRIC, 0.1, 0, (-63, 63)),
        ((0, 12.7), False, SYMMETRIC, 0.1, 0, (-127, 127)),
        ((0, 6.3), True, SYMMETRIC, 0.1, 0, (0, 63)),
    ],
)
def test_by_hand(
    interval: tuple[float, float],
    int7: bool,
    mode: ActivationMode,
    scale: float,
    zero_point: int,
    window: tuple[int, int],
) -> None:
    params, found = affine_for(*interval, int7, mode, floor=None)
    assert params.scale == pytest.approx(scale, rel=1e-6)
    assert params.zero_point == zero_point
    assert (found.low, found.high) == window


@given(ends, ends, st.booleans(), modes, st.booleans(), st.floats(0, 1))
@example(0.5, 126.5, True, ASYMMETRIC, False, 0.0)  # both ends half way between two codes
@example(126.5, 0.5, True, ASYMMETRIC, False, 1.0)
@example(63.5, 63.5, True, ASYMMETRIC, False, 0.0)
def test_no_value_of_the_interval_leaves_the_window(
    below: float, high: float, int7: bool, mode: ActivationMode, bounded: bool, where: float
) -> None:
    params, window = affine_for(-below, high, int7, mode, -below if bounded else None)
    inside = -below + where * (below + high)
    values = np.clip(np.array([-below, inside, high], np.float32), -below, high)
    codes = quantize(values, params)
    assert window.low <= codes.min()
    assert codes.max() <= window.high


@given(ends, ends, st.booleans(), modes, st.floats(0, 1))
def test_interval_is_covered(
    below: float, high: float, int7: bool, mode: ActivationMode, where: float
) -> None:
    params, _ = affine_for(-below, high, int7, mode, floor=None)
    values = np.array([-below, -below + where * (below + high), high], np.float32)
    values = np.clip(values, -below, high)
    error = np.abs(dequantize(quantize(values, params), params) - values)
    assert error.max() <= params.scale * (0.5 + 1e-4)


@given(ends, ends, st.booleans(), modes)
def test_no_codes_are_wasted(below: float, high: float, int7: bool, mode: ActivationMode) -> None:
    assume(below + high > 1e-3)
    params, window = affine_for(-below, high, int7, mode, floor=None)
    span = 2 * max(below, high) if mode is SYMMETRIC else below + high
    steps = {(True, SYMMETRIC): 126, (False, SYMMETRIC): 254, (True, ASYMMETRIC): 126}
    assert span / params.scale >= steps.get((int7, mode), 255) * (1 - 1e-5)
    assert window.is_int7 == int7


@given(ends, ends, st.booleans(), modes)
def test_zero_is_represented_exactly(
    below: float, high: float, int7: bool, mode: ActivationMode
) -> None:
    params, window = affine_for(-below, high, int7, mode, floor=None)
    assert window.low <= params.zero_point <= window.high
    assert quantize(np.zeros(1, np.float32), params)[0] == params.zero_point
    if mode is SYMMETRIC:
        assert params.zero_point == 0


@pytest.mark.parametrize("mode", ActivationMode)
@pytest.mark.parametrize("int7", [False, True])
def test_dead_tensor_gets_an_ordinary_scale(int7: bool, mode: ActivationMode) -> None:
    params, _ = affine_for(0.0, 0.0, int7, mode, floor=0.0)
    assert 1e-3 < params.scale < 1


@pytest.mark.parametrize("mode", ActivationMode)
@pytest.mark.parametrize("interval", [(0.0, 1e-30), (-1e-30, 0.0), (-1e-38, 1e-38)])
def test_tiny_ranges_are_floored(interval: tuple[float, float], mode: ActivationMode) -> None:
    params, _ = affine_for(*interval, False, mode, floor=0.0)
    assert params.scale >= MIN_SPAN / 256


def test_interval_is_widened_to_contain_zero() -> None:
    assert affine_for(2.0, 4.0, False, ASYMMETRIC, None) == affine_for(
        0.0, 4.0, False, ASYMMETRIC, None
    )
    assert affine_for(-4.0, -2.0, False, ASYMMETRIC, None) == affine_for(
        -4.0, 0.0, False, ASYMMETRIC, None
    )


def test_only_a_known_least_value_enforces_a_seven_bit_window() -> None:
    assert affine_for(0, 1, True, ASYMMETRIC, floor=0.0)[1] == Window(0, 127, True)
    assert affine_for(-1, 1, True, ASYMMETRIC, floor=-1.0)[1] == Window(0, 127, True)
    assert not affine_for(0, 1, True, ASYMMETRIC, floor=None)[1].saturates
    assert not affine_for(-1, 1, True, ASYMMETRIC, floor=None)[1].saturates
    assert not affine_for(0, 1, True, SYMMETRIC, floor=0.0)[1].saturates
    assert not affine_for(-1, 1, True, SYMMETRIC, floor=-1.0)[1].saturates
    assert affine_for(0, 1, False, SYMMETRIC, floor=0.0)[1] == Window(-127, 127, False)
    assert not affine_for(0, 1, False, SYMMETRIC, floor=None)[1].saturates
    assert not affine_for(-1, 1, False, SYMMETRIC, floor=-1.0)[1].saturates
    assert affine_for(-1, 1, False, ASYMMETRIC, floor=None)[1].saturates


@pytest.mark.parametrize(
    ("floor", "high", "scale", "zero_point"),
    [
        (0.0, 12.7, 0.1, 0),
        (-2.7, 10.0, 0.1, 27),
        (-2.71, 10.0, 2.71 / 27, 27),  # between two zero points, 27 stretches the steps least
        (-2.79, 10.0, 10 / 99, 28),
        (-1.0, 0.0, 1 / 127, 127),  # nothing above 0
        (-1.0, 1e-9, 1 / 126, 126),  # next to nothing: one code is left for it
        (-1e-9, 12.7, 12.7 / 126, 1),
        (0.0, 1e-30, MIN_SPAN / 127, 0),
        (-1e-30, 0.0, MIN_SPAN / 127, 1),
        (-100.0, 1.0, 100 / 125, 125),
    ],
)
def test_floors_by_hand(floor: float, high: float, scale: float, zero_point: int) -> None:
    params, window = affine_for(-0.5, high, True, ASYMMETRIC, floor)
    assert (params.scale, params.zero_point) == (pytest.approx(scale, rel=1e-6), zero_point)
    assert window == Window(0, 127, saturates=True)


floors = st.one_of(st.just(0.0), ends)


@given(floors, floors, ends)
@example(0.0, 0.0, 0.0)
@example(2.0**30, 2.0**-149, 0.0)
@example(2.0**-149, 2.0**30, 0.0)
@example(63.5, 63.5, 0.0)
def test_window_begins_at_the_floor_whatever_the_low_end(
    below: float, high: float, low: float
) -> None:
    params, window = affine_for(-low, high, True, ASYMMETRIC, -below)
    assert window == Window(0, 127, saturates=True)
    assert (params, window) == affine_for(0.0, high, True, ASYMMETRIC, -below)
    exact = -below / params.scale + params.zero_point
    assert exact >= -1e-4, "a kernel that rounds to the nearest code stays at 0 or above"
    assert high / params.scale + params.zero_point <= 127 + 1e-4
    first, zero, last = quantize(np.array([-below, 0.0, high], np.float32), params)
    assert 0 <= first <= zero == params.zero_point <= last <= 127


@given(floors, floors)
def test_no_zero_point_would_do_with_finer_steps(below: float, high: float) -> None:
    assume(below + high > 1e-3)
    params, _ = affine_for(-below, high, True, ASYMMETRIC, -below)
    zero_points = np.arange(1 if below else 0, 127 if high else 128)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.fmax(below / zero_points, high / (127 - zero_points))
    assert params.scale <= needed.min() * (1 + 1e-6)
