from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tflite_eq.errors import DatasetError
from tflite_eq.statistics.histogram import BINS, RangeObserver
from tflite_eq.statistics.ranges import (
    ESTIMATORS,
    Interval,
    kl,
    minmax,
    mse,
    percentile,
    widen_to_symmetric,
)

Values = npt.NDArray[np.float64]

METHODS = sorted(ESTIMATORS)


def observe(*pieces: Any) -> RangeObserver:
    observer = RangeObserver("tensor", max_samples_per_update=10**9)
    for piece in pieces:
        observer.update(np.asarray(piece, dtype=np.float32))
    return observer


def samples(draw: Callable[[np.random.Generator], Any], seed: int = 0) -> npt.NDArray[np.float32]:
    return np.asarray(draw(np.random.default_rng(seed)), dtype=np.float32)


def half_gaussian(generator: np.random.Generator) -> Any:
    return abs(generator.standard_normal(400_000))


def gaussian(generator: np.random.Generator) -> Any:
    return generator.standard_normal(400_000)


def relu(generator: np.random.Generator) -> Any:
    return np.maximum(generator.standard_normal(400_000), 0)


def leaky_relu(generator: np.random.Generator) -> Any:
    x = generator.standard_normal(400_000)
    return np.where(x < 0, 0.1 * x, x)


def exponential(generator: np.random.Generator) -> Any:
    return generator.exponential(size=400_000)


# All estimators


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [False, True])
@settings(max_examples=60, deadline=None)
@given(
    values=hnp.arrays(
        np.float32, st.integers(1, 60), elements=st.floats(-(2.0**100), 2.0**100, width=32)
    ),
    levels=st.sampled_from([127, 128, 255, 256]),
)
def test_the_interval_contains_zero_and_stays_within_the_extremes(
    method: str, symmetric: bool, values: npt.NDArray[np.float32], levels: int
) -> None:
    low, high = ESTIMATORS[method](observe(values), levels, symmetric)
    assert low <= 0.0 <= high
    if symmetric:
        assert low == -high
        assert high <= abs(values).max()
    else:
        assert low >= min(values.min(), 0)
        assert high <= max(values.max(), 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_dead_tensor_has_an_empty_interval(method: str, symmetric: bool) -> None:
    interval = ESTIMATORS[method](observe(np.zeros(500), -np.zeros(3)), 256, symmetric)
    assert interval == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [False, True])
def test_no_values_are_an_error(method: str, symmetric: bool) -> None:
    with pytest.raises(DatasetError, match="'tensor'"):
        ESTIMATORS[method](observe(), 256, symmetric)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [3.0, -3.0, 4.0, 1e-3])
def test_a_constant_tensor_is_covered_whole(method: str, value: float) -> None:
    expected = (min(np.float32(value), 0.0), max(np.float32(value), 0.0))
    constant = observe(np.full(1000, value))
    assert ESTIMATORS[method](constant, 256, False) == pytest.approx(expected, rel=1e-3)
    with_zeros = observe(np.full(1000, value), np.zeros(9000))
    assert ESTIMATORS[method](with_zeros, 256, False) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("draw", [half_gaussian, relu, exponential])
def test_a_one_sided_tensor_has_its_mirror_image_mirrored(
    method: str, draw: Callable[[np.random.Generator], Any]
) -> None:
    values = samples(draw)
    low, high = ESTIMATORS[method](observe(values), 256, False)
    assert low == 0.0
    assert ESTIMATORS[method](observe(-values), 256, False) == (-high, 0.0)
    symmetric = ESTIMATORS[method](observe(values), 255, True)
    assert symmetric == ESTIMATORS[method](observe(-values), 255, True)


@pytest.mark.parametrize("method", METHODS)
def test_values_far_from_zero_are_not_clipped_away(method: str) -> None:
    values = np.random.default_rng(1).uniform(5, 6, 100_000)
    low, high = ESTIMATORS[method](observe(values), 256, False)
    assert low == 0.0
    assert high > 5.85


@pytest.mark.parametrize("method", METHODS)
def test_values_too_rare_for_the_histogram_do_not_make_an_empty_interval(method: str) -> None:
    values = np.zeros(100_000, np.float32)
    values[[3, 55_555]] = (-2.0, 4.0)
    observer = RangeObserver(max_samples_per_update=10)
    observer.update(values)
    assert observer.magnitude_counts.sum() == 0
    low, high = ESTIMATORS[method](observer, 256, False)
    assert (low, high) == ((0.0, 0.0) if method == "percentile" else (-2.0, 4.0))


@pytest.mark.parametrize("draw", [half_gaussian, gaussian])
def test_an_outlier_moves_minmax_but_hardly_percentile_and_kl(
    draw: Callable[[np.random.Generator], Any],
) -> None:
    values = samples(draw)
    clean, dirty = observe(values), observe(values, [60.0])
    assert minmax(dirty)[1] == 60.0
    assert minmax(dirty)[0] == minmax(clean)[0]
    growth = {
        method: ESTIMATORS[method](dirty, 256, False)[1] / ESTIMATORS[method](clean, 256, False)[1]
        for method in METHODS
    }
    assert growth["minmax"] > 10
    assert growth["percentile"] == pytest.approx(1.0, abs=0.02)
    assert 0.85 < growth["kl"] < 1.3
    assert growth["mse"] < 0.8 * growth["minmax"]


# Percentile


def test_percentile_of_worked_counts() -> None:
    # R = 8; 100 values at 1, 300 at 2, 600 at 4.
    width = 8 / BINS
    observer = observe(np.repeat([1.0, 2.0, 4.0], [100, 300, 600]))
    assert percentile(observer, 70.0) == (0.0, 4.0)  # half-way through the bin, beyond the maximum
    assert percentile(observer, 100.0) == (0.0, 4.0)
    observer = observe(np.repeat([1.0, 2.0, 4.0], [600, 300, 100]), np.zeros(1000))
    # 20 % of 2000 values are 400: all 100 at 4 and 300 at 2 lie beyond the edge of 2's bin.
    assert percentile(observer, 80.0)[1] == pytest.approx(2.0)
    # 15 %: 300 beyond, of which 200 of the 300 at 2.
    assert percentile(observer, 85.0)[1] == pytest.approx(2.0 + width / 3)
    # 50 % of the values are exactly 0.
    assert percentile(observer, 50.0001)[1] == pytest.approx(1.0, abs=width)


def test_percentile_zero_when_fewer_values_differ_from_zero() -> None:
    observer = observe(np.zeros(99_999), [7.0])
    assert percentile(observer, 99.9) == (0.0, 0.0)
    assert percentile(observer, 100.0) == (0.0, 7.0)


@pytest.mark.parametrize("draw", [half_gaussian, gaussian, relu, leaky_relu, exponential])
@pytest.mark.parametrize("percent", [99.0, 99.9, 99.99])
def test_percentile_agrees_with_the_quantiles_of_the_samples(
    draw: Callable[[np.random.Generator], Any], percent: float
) -> None:
    values = samples(draw)
    observer = observe(values)
    expected = (
        min(np.percentile(values, 100 - percent), 0.0),
        max(np.percentile(values, percent), 0.0),
    )
    # Near the last values quantiles themselves are ambiguous by the gap to the neighbour.
    assert percentile(observer, percent) == pytest.approx(expected, abs=3 * observer.bin_width)


def test_the_hundredth_percentile_covers_extremes_that_the_histogram_missed() -> None:
    values = samples(gaussian)
    observer = RangeObserver(max_samples_per_update=100)
    observer.update(values)
    assert percentile(observer, 100.0) == (values.min(), values.max())


@pytest.mark.parametrize("percent", [50.0, 100.1, -1.0, math.nan])
def test_percentile_refuses_what_is_no_upper_percentage(percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        percentile(observe([1.0]), percent)


# Mean squared error


def quantization_error(values: Values, interval: Interval, levels: int) -> float:
    """Mean squared error of rounding to the codes of the interval, value by value."""
    step = (interval[1] - interval[0]) / (levels - 1)
    zero_point = round(-interval[0] / step)
    codes = np.clip(np.rint(values / step) + zero_point, 0, levels - 1)
    return float((((codes - zero_point) * step - values) ** 2).mean())


@pytest.mark.parametrize("draw", [half_gaussian, gaussian, relu, leaky_relu, exponential])
@pytest.mark.parametrize("levels", [256, 128])
def test_mse_interval_is_about_as_good_as_the_best_by_brute_force(
    draw: Callable[[np.random.Generator], Any], levels: int
) -> None:
    values = samples(draw)[:40_000].astype(np.float64)
    observer = observe(values)
    low, high = mse(observer, levels, symmetric=False)
    found = quantization_error(values, (low, high), levels)
    ends = 1.05 ** -np.arange(0, 50)
    lows = values.min() * ends if values.min() < 0 else [0.0]
    best = min(
        quantization_error(values, (a, b), levels)
        for a in lows[:: 1 if len(lows) == 1 else 3]
        for b in values.max() * ends[::2]
    )
    assert found < 1.06 * best
    assert found <= quantization_error(values, minmax(observer), levels)


@pytest.mark.parametrize("draw", [half_gaussian, gaussian, exponential])
@pytest.mark.parametrize("levels", [255, 127])
def test_symmetric_mse_interval_is_about_as_good_as_the_best_by_brute_force(
    draw: Callable[[np.random.Generator], Any], levels: int
) -> None:
    values = samples(draw)[:100_000].astype(np.float64)
    found = quantization_error(values, mse(observe(values), levels, symmetric=True), levels)
    ends = abs(values).max() * 1.03 ** -np.arange(0, 60)
    best = min(quantization_error(values, (-end, end), levels) for end in ends)
    assert found < 1.03 * best


def test_mse_clips_the_two_sides_by_themselves() -> None:
    """A leaky ReLU needs all of its short negative side and not all of the long positive one."""
    values = samples(leaky_relu)
    low, high = mse(observe(values), 128, symmetric=False)
    assert high < 0.85 * values.max()
    assert low < -0.3


def test_mse_keeps_a_spike_at_the_upper_end() -> None:
    values = np.clip(np.random.default_rng(0).normal(0, 4, 100_000), 0, 6)
    assert mse(observe(values), 256, symmetric=False) == (0.0, 6.0)


def test_mse_with_fewer_levels_clips_more() -> None:
    observer = observe(samples(gaussian))
    highs = [mse(observer, levels, symmetric=False)[1] for levels in (1024, 256, 128, 16)]
    assert highs == sorted(highs, reverse=True)
    assert highs[0] > 1.5 * highs[-1]


@pytest.mark.parametrize("levels", [1024, 256, 128])
def test_mse_weighs_an_outlier_by_its_square(levels: int) -> None:
    """N values round, one is clipped: N (T / (levels - 1))^2 / 12 + (60 - T)^2 is least."""
    values = samples(half_gaussian)
    _, high = mse(observe(values, [60.0]), levels, symmetric=False)
    rounding = values.size / 12 / (levels - 1) ** 2
    assert high == pytest.approx(60 / (1 + rounding), rel=0.02)


def test_mse_refuses_less_than_two_levels() -> None:
    with pytest.raises(ValueError, match="levels"):
        mse(observe([1.0]), 1, symmetric=False)


# Kullback-Leibler divergence


def divergence_of_cut(histogram: Values, kept: int, targets: int) -> float:
    """KL(P || Q) of one candidate, straight from the definition, bin by bin."""
    p = histogram[:kept].copy()
    p[-1] += histogram[kept:].sum()
    target = np.arange(kept) * targets // kept
    merged = np.bincount(target, weights=histogram[:kept])
    occupied = np.bincount(target, weights=p > 0)
    q = np.where(p > 0, merged[target] / np.maximum(occupied[target], 1), 0.0)
    p, q = p / p.sum(), q / q.sum()
    if (q[p > 0] == 0).any():
        return math.inf
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())


def literal_threshold(observer: RangeObserver, targets: int) -> float:
    histogram = np.trim_zeros(observer.magnitude_counts.astype(np.float64), "b")
    best, best_divergence = 0, math.inf
    for kept in range(len(histogram), targets - 1, -1):
        if histogram[kept:].sum() > 0.01 * histogram.sum():
            break
        divergence = divergence_of_cut(histogram, kept, targets)
        if divergence < best_divergence - 1e-9:
            best, best_divergence = kept, divergence
    return best * observer.bin_width


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_normal(3000),
        np.random.default_rng(1).exponential(size=500),
        np.random.default_rng(2).standard_t(2, 20_000),
        np.concatenate([np.random.default_rng(3).uniform(0.5, 1, 900), np.full(8, 3.9)]),
    ],
    ids=["gaussian", "few", "heavy", "gap"],
)
@pytest.mark.parametrize("levels", [256, 127])
def test_kl_agrees_with_the_definition_bin_by_bin(values: Values, levels: int) -> None:
    observer = observe(values)
    threshold = literal_threshold(observer, (levels + 1) // 2)
    low, high = minmax(observer)
    assert kl(observer, levels) == (max(low, -threshold), min(high, threshold))


@pytest.mark.parametrize(
    ("levels", "band"), [(256, (3.7, 5.1)), (255, (3.7, 5.1)), (128, (3.5, 4.7)), (127, (3.5, 4.7))]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kl_clips_a_half_gaussian_in_a_sane_band(
    levels: int, band: tuple[float, float], seed: int
) -> None:
    low, high = kl(observe(samples(half_gaussian, seed)), levels)
    assert low == 0.0
    assert band[0] < high < band[1]


def test_kl_ignores_exact_zeros() -> None:
    values = samples(half_gaussian)
    assert kl(observe(values, np.zeros(10 * values.size)), 256) == kl(observe(values), 256)


def test_kl_clips_both_sides_of_a_signed_tensor_at_one_threshold() -> None:
    values = samples(gaussian)
    low, high = kl(observe(values, [-30.0, 30.0]), 256)
    assert low == -high
    assert high < 6.0
    short_low, _ = kl(observe(values[values > -0.5], [30.0]), 256)
    assert short_low == pytest.approx(-0.5, abs=1e-3)


def test_kl_keeps_a_spike_at_the_upper_end() -> None:
    values = np.clip(np.random.default_rng(0).normal(0, 4, 100_000), 0, 6)
    assert kl(observe(values), 256) == (0.0, 6.0)


@given(st.integers(1, 63), st.floats(-1.0, 1.0, width=32))
def test_kl_of_a_few_equally_frequent_values_keeps_them_all(count: int, value: float) -> None:
    assume(abs(value) > 1e-6)
    ladder = value * np.arange(1, count + 1) * (64 / count)
    observer = observe(np.tile(ladder, 3))
    widest = kl(observer, 128)
    assert widest == minmax(observer)


def test_kl_prefers_the_widest_of_equally_good_cuts() -> None:
    """Kept alone or together, each value has a bin of its own: no divergence either way."""
    assert kl(observe(np.full(1000, 1.0), np.full(5, 1.9)), 256) == minmax(observe([1.9]))


def test_kl_does_not_depend_on_a_power_of_two() -> None:
    values = samples(gaussian)
    low, high = kl(observe(values), 256)
    assert kl(observe(values * 2.0**-20), 256) == (low * 2.0**-20, high * 2.0**-20)


def test_kl_refuses_more_target_bins_than_bins() -> None:
    with pytest.raises(ValueError, match="levels"):
        kl(observe([1.0]), 0)
    with pytest.raises(ValueError, match="levels"):
        kl(observe([1.0]), 2 * BINS + 1)


def test_widening_takes_the_longer_side() -> None:
    assert widen_to_symmetric((-1.0, 3.0)) == (-3.0, 3.0)
    assert widen_to_symmetric((-4.0, 3.0)) == (-4.0, 4.0)
