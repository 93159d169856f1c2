from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tflite_eq.errors import DatasetError
from tflite_eq.statistics.histogram import BINS, RangeObserver

Values = npt.NDArray[np.float32]

finite_arrays = hnp.arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def observe(*pieces: Any, **options: Any) -> RangeObserver:
    observer = RangeObserver("tensor", **options)
    for piece in pieces:
        observer.update(np.asarray(piece, dtype=np.float32))
    return observer


def state(observer: RangeObserver) -> tuple[Any, ...]:
    return (
        observer.count,
        observer.minimum,
        observer.maximum,
        observer.zeros,
        observer.bin_width,
        observer.negative_counts.tolist(),
        observer.positive_counts.tolist(),
    )


def test_worked_histogram() -> None:
    # max|x| = 3 gives R = 4 and bins of 1/512.
    observer = observe([[0.0, -0.0, 3.0, -1.0], [0.001, 0.003, -0.003, 2.0]])
    assert observer.bin_width == 1 / 512
    assert (observer.minimum, observer.maximum, observer.count) == (-1.0, 3.0, 8)
    assert observer.zeros == 2
    positive, negative = np.zeros(BINS), np.zeros(BINS)
    positive[[0, 1, 1024, 1536]] = 1
    negative[[1, 512]] = 1
    assert (observer.positive_counts == positive).all()
    assert (observer.negative_counts == negative).all()
    assert (observer.magnitude_counts == positive + negative).all()


def test_zeros_before_the_first_value_do_not_set_the_range() -> None:
    assert state(observe([0.0, 0.0], [0.25])) == state(observe([0.25, 0.0, 0.0]))


def test_growth_merges_pairs_of_bins() -> None:
    observer = observe([0.9, 0.5, -0.5, 0.5 + 1 / 2048])
    assert observer.bin_width == 1 / 2048
    observer.update(np.float32([1.0]))  # R must exceed it: one doubling
    assert observer.bin_width == 2 / 2048
    assert observer.positive_counts[512] == 2
    assert observer.negative_counts[512] == 1
    assert observer.positive_counts[1024] == 1


@given(finite_arrays, st.integers(0, 10**6))
def test_pieces_and_their_order_do_not_matter(values: Values, seed: int) -> None:
    random = np.random.default_rng(seed)
    shuffled = random.permutation(values)
    pieces = np.split(shuffled, np.sort(random.integers(0, len(values), 3)))
    assert state(observe(*pieces)) == state(observe(values))


@given(st.lists(finite_arrays, min_size=1, max_size=4))
def test_every_value_is_counted_once_in_the_bin_that_holds_it(pieces: list[Values]) -> None:
    observer = observe(*pieces)
    values = np.concatenate(pieces).astype(np.float64)
    assert observer.count == len(values)
    assert observer.zeros == (values == 0).sum()
    assert observer.negative_counts.sum() == (values < 0).sum()
    assert observer.positive_counts.sum() == (values > 0).sum()
    assert (observer.minimum, observer.maximum) == (values.min(), values.max())
    assert observer.largest_magnitude == abs(values).max()
    for counts, magnitudes in (
        (observer.positive_counts, values[values > 0]),
        (observer.negative_counts, -values[values < 0]),
    ):
        bins = np.floor(magnitudes / observer.bin_width).astype(int)
        assert (np.bincount(bins, minlength=BINS) == counts).all()


@given(finite_arrays, st.integers(2, 200))
def test_few_bins_hold_every_value_where_it_lies(values: Values, most: int) -> None:
    found = observe(values).histogram(most)
    assert 1 <= len(found.counts) <= most
    assert found.zeros == np.count_nonzero(values == 0)
    zero = round(-found.low / found.width)  # bins in front of 0
    assert found.low == -zero * found.width
    expected = [0] * len(found.counts)
    for value in values[values != 0].tolist():
        away = int(abs(value) / found.width)
        expected[zero + away if value > 0 else zero - 1 - away] += 1
    assert found.counts == tuple(expected)


@given(st.floats(2.0**-99, 2.0**127, width=32))
def test_the_largest_magnitude_is_in_the_upper_half_of_the_bins(value: float) -> None:
    (bin_index,) = np.flatnonzero(observe([-value, 0.0]).magnitude_counts)
    assert bin_index >= BINS // 2


@pytest.mark.parametrize("magnitude", [1e-45, 1e-38, 1e-20, 3.4e38])
def test_extreme_magnitudes_keep_every_count(magnitude: float) -> None:
    observer = observe([magnitude, -magnitude], [0.0])
    assert observer.magnitude_counts.sum() == 2
    observer.update(np.float32([3.4e38]))
    assert observer.magnitude_counts.sum() == 3
    assert observer.positive_counts.sum() == 2


@pytest.mark.parametrize("size", [1001, 1500, 2000, 100_003])
def test_large_updates_enter_as_a_spread_out_subset(size: int) -> None:
    values = np.arange(1, size + 1, dtype=np.float32)
    observer = RangeObserver(max_samples_per_update=1000)
    observer.update(values)
    assert observer.count == size
    assert 500 < observer.magnitude_counts.sum() <= 1000
    # The values rise evenly, so their histogram must be flat: no bin may differ by more than the
    # two stretches that its ends cut.
    coarse = observer.positive_counts.reshape(64, -1).sum(axis=1)
    occupied = coarse[coarse > 0][:-1]
    assert occupied.max() - occupied.min() <= 3
    assert (observer.minimum, observer.maximum) == (1.0, size)


def test_the_subset_sees_all_channels_alike() -> None:
    """A fixed stride over an NHWC tensor would see channel 0 only."""
    values = np.tile(np.arange(1, 17, dtype=np.float32), 4096)
    observer = RangeObserver(max_samples_per_update=4096)
    observer.update(values)
    counts = observer.positive_counts
    assert (np.abs(counts[counts > 0] - 256) < 80).all()
    assert (counts > 0).sum() == 16


def test_the_extremes_are_exact_even_when_the_subset_misses_them() -> None:
    values = np.zeros(100_000, np.float32)
    values[[7, 77_777]] = (-5.0, 9.0)
    observer = observe(values, max_samples_per_update=10)
    assert (observer.minimum, observer.maximum) == (-5.0, 9.0)


def test_the_same_seed_gives_the_same_state_and_another_seed_another() -> None:
    pieces = np.random.default_rng(0).standard_normal((3, 5000)).astype(np.float32)
    options = {"max_samples_per_update": 100}
    assert state(observe(*pieces, seed=4, **options)) == state(observe(*pieces, seed=4, **options))
    assert state(observe(*pieces, seed=4, **options)) != state(observe(*pieces, seed=5, **options))


def test_empty_updates_change_nothing() -> None:
    observer = observe([], [1.0], [])
    assert state(observer) == state(observe([1.0]))


def test_reading_an_observer_that_saw_nothing_names_the_tensor() -> None:
    observer = observe([])
    for attribute in ("minimum", "maximum", "largest_magnitude"):
        with pytest.raises(DatasetError, match=r"'tensor'.*no calibration values.*dataset"):
            getattr(observer, attribute)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0, np.nan, np.nan], "2 NaN and 0 infinite among 3"),
        ([np.inf, 0.0], "0 NaN and 1 infinite among 2"),
        ([-np.inf, np.nan, np.inf, 0.0], "1 NaN and 2 infinite among 4"),
    ],
)
def test_refuses_values_that_are_not_finite(values: list[float], found: str) -> None:
    observer = observe([1.0])
    before = state(observer)
    with pytest.raises(DatasetError, match=f"'tensor': found {found}"):
        observer.update(np.float32(values))
    assert state(observer) == before


def test_refuses_a_subset_without_samples() -> None:
    with pytest.raises(ValueError, match="max_samples_per_update"):
        RangeObserver(max_samples_per_update=0)


def test_reading_the_histogram_does_not_expose_the_state() -> None:
    observer = observe([1.0, -1.0])
    observer.positive_counts[:] = 0
    observer.negative_counts[:] = 0
    assert observer.magnitude_counts.sum() == 2
