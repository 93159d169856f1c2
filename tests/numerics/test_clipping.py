"""Cutting off large arrays: what NumPy gives value by value, whatever their size and layout."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.numerics.clipping import count_outside, cut_to, raise_to

SIZES = [0, 1, 4095, 4096, 4097, 3 * 4096 + 5]


@pytest.mark.parametrize("size", SIZES)
def test_every_value_is_cut_off_and_no_other_is_touched(size: int) -> None:
    values = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    found = values.copy()
    raise_to(found, -0.5)
    cut_to(found, 0.25)
    assert found.tolist() == [min(max(v, np.float32(-0.5)), np.float32(0.25)) for v in values]


def test_arrays_with_gaps_are_cut_off_in_place() -> None:
    whole = np.random.default_rng(1).standard_normal((100, 120)).astype(np.float32)
    expected = whole.copy()
    expected[:, ::2] = expected[:, ::2].clip(-1, 1)
    raise_to(whole[:, ::2], -1)
    cut_to(whole[:, ::2], 1)
    np.testing.assert_array_equal(whole, expected)


def test_what_is_no_number_stays_none() -> None:
    values = np.zeros(5000, np.float32)
    values[[7, 4999]] = np.nan
    raise_to(values, 1)
    assert np.flatnonzero(np.isnan(values)).tolist() == [7, 4999]
    assert np.nanmin(values) == 1


def test_values_outside_are_counted() -> None:
    values = np.array([-3, -1, np.nan, 0, 1, 2, 2.5], np.float32)
    for low, high in ((-1, 1), (-9, 9), (-1, 2.5), (-2, 2), (5, 9)):
        expected = sum(bool(v < low or v > high) for v in values[~np.isnan(values)])
        numbers = values[~np.isnan(values)]
        ends = float(numbers.min()), float(numbers.max())
        assert count_outside(numbers, np.float32(low), np.float32(high), ends) == expected
    nothing = values[:0]
    assert count_outside(nothing, np.float32(0), np.float32(0), (np.inf, -np.inf)) == 0
