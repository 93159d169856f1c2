"""Range estimators: which real interval the codes of a tensor should cover.

Each is a pure function of a ``RangeObserver`` and returns an ``Interval`` (low, high) in real
units with low <= 0 <= high, inside the observed extremes widened to contain 0. A tensor that is
always 0 gives (0.0, 0.0): the caller floors its scale. All raise ``DatasetError`` if the observer
saw no values. ``ESTIMATORS`` holds them by the name that records have, which for those that are
methods is the one the ``--method`` option uses.

Symmetric quantization has zero point 0 and covers (-T, T) whatever the sign of the values, with an
odd number of codes: 255 for +-127, 127 for +-63.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

import numpy as np
import numpy.typing as npt

from tflite_eq.statistics.histogram import BINS, RangeObserver

Interval = tuple[float, float]
Estimator = Callable[[RangeObserver, int, bool], Interval]

DEFAULT_PERCENT = 99.99

# Candidate ends of the MSE search as fractions of the extremes: steps of 2.2 %, down to 1/256.
_SHRINK_FACTORS = 2.0 ** (-np.arange(0, 8 * 32 + 1) / 32)

# The KL search may not cut off more than this part of the values that are not 0; see kl().
_MOST_CUT_OFF = 0.01
# Divergences (in nats) closer than this count as equal: rounding reaches 1e-12, real ones 1e-6.
_EQUAL_DIVERGENCE = 1e-9
# Cuts whose target bins are in memory at a time.
_CUTS_AT_ONCE = 256


def minmax(observer: RangeObserver) -> Interval:
    """The observed extremes, widened to contain 0."""
    return min(observer.minimum, 0.0), max(observer.maximum, 0.0)


def ordinary(observer: RangeObserver) -> Interval:
    """The extremes that samples reach which are not loud, widened to contain 0."""
    low, high = observer.ordinary
    return min(low, 0.0), max(high, 0.0)


def percentile(observer: RangeObserver, percent: float = DEFAULT_PERCENT) -> Interval:
    """The interval that leaves (100 - percent) % of the values, zeros included, beyond each end.

    high is the ``percent`` quantile and low the ``100 - percent`` quantile of the sampled values,
    interpolated linearly within the histogram bin they fall into, then cut to the observed
    extremes and widened to contain 0. A tensor with values of both signs is thus clipped on both
    sides; 100 gives ``minmax``.

    Args:
        observer: What was seen of the tensor.
        percent: In (50, 100].

    Raises:
        ValueError: ``percent`` is out of range.
    """
    if not 50.0 < percent <= 100.0:
        raise ValueError(f"percent must be in (50, 100], got {percent}")
    low, high = minmax(observer)
    if percent == 100.0:
        return low, high
    positive, negative = observer.positive_counts, observer.negative_counts
    total = int(positive.sum() + negative.sum()) + observer.zeros
    cut = total * (1.0 - percent / 100.0)
    return (
        max(low, -_magnitude_with_tail(negative, cut) * observer.bin_width),
        min(high, _magnitude_with_tail(positive, cut) * observer.bin_width),
    )


def mse(observer: RangeObserver, levels: int, symmetric: bool) -> Interval:
    """The interval with the least expected squared quantization error of the histogram.

    A value inside the interval errs by step^2 / 12 (rounding, uniform within a step), one outside
    by the square of its distance to the nearer end, evaluated at the centre of its bin; exact zeros
    have no error. Each end is searched independently among its extreme times
    2^(-i / 32), i = 0..256; a symmetric interval shrinks as a whole over the same factors.

    Args:
        observer: What was seen of the tensor.
        levels: Number of codes, >= 2; the step is (high - low) / (levels - 1).
        symmetric: Whether the interval is to be (-T, T).

    Raises:
        ValueError: ``levels`` is less than 2.
    """
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    low, high = minmax(observer)
    if symmetric:
        ends = observer.largest_magnitude * _SHRINK_FACTORS
        clipped, inside = _clipping(observer.magnitude_counts, observer.bin_width, ends)
        step = 2 * ends / (levels - 1)
        best = int(np.argmin(clipped + inside * step**2 / 12))
        return 0.0 - float(ends[best]), float(ends[best])

    low_ends, high_ends = -low * _SHRINK_FACTORS, high * _SHRINK_FACTORS
    low_clipped, low_inside = _clipping(observer.negative_counts, observer.bin_width, low_ends)
    high_clipped, high_inside = _clipping(observer.positive_counts, observer.bin_width, high_ends)
    step = (low_ends[:, None] + high_ends) / (levels - 1)
    inside = low_inside[:, None] + high_inside
    error = low_clipped[:, None] + high_clipped + inside * step**2 / 12
    best_low, best_high = np.unravel_index(int(np.argmin(error)), error.shape)
    return 0.0 - float(low_ends[best_low]), float(high_ends[best_high])


def kl(observer: RangeObserver, levels: int) -> Interval:
    """TensorRT's entropy calibration: the clipping threshold that loses the least information.

    The 2048-bin histogram of |x| without exact zeros, which every candidate represents exactly, is
    cut after i bins for each i from the number of target bins to the last bin in use (1025..2048,
    as the histogram ends at a power of two). P is the cut histogram with everything beyond the cut
    added to its last bin. Q is the cut histogram without that, merged
    into the target bins and spread back evenly over those bins where P is not zero. Both are
    normalised to 1, and the i with the least KL(P || Q) wins (S. Migacz, "8-bit inference with
    TensorRT", GTC 2017). Bin b belongs to target bin floor(b * targets / i), so that target bins
    differ by at most one bin in width. A candidate with P > 0 where Q = 0 has infinite divergence;
    of equal ones the widest wins.

    One condition is ours: a candidate may cut off at most 1 % of the values that are not 0. Without
    it a tensor whose values all lie far from 0 would be cut at its smallest one, where P and Q are
    the same single bin and the divergence is 0.

    Args:
        observer: What was seen of the tensor.
        levels: Number of codes of the symmetric quantizer, 255 or 256 for 8 bits and 127 or 128 for
            7; the target bins are the half that serves |x|: 128 and 64.

    Returns:
        (max(min, -T), min(max, T)), widened to contain 0, T being the upper edge of bin i - 1.

    Raises:
        ValueError: ``levels`` leaves no target bin or more than 2048.
    """
    targets = (levels + 1) // 2
    if not 1 <= targets <= BINS:
        raise ValueError(f"levels must be in [1, {2 * BINS}], got {levels}")
    low, high = minmax(observer)
    kept = _least_divergent_cut(observer.magnitude_counts, targets)
    if kept is None:
        return low, high
    threshold = kept * observer.bin_width
    return max(low, -threshold), min(high, threshold)


def widen_to_symmetric(interval: Interval) -> Interval:
    """The smallest (-T, T) that contains the interval."""
    end = max(-interval[0], interval[1])
    return 0.0 - end, end


def _for_either(estimate: Callable[[RangeObserver, int], Interval]) -> Estimator:
    """Adds symmetric quantization to an estimator that knows nothing of it."""

    def estimator(observer: RangeObserver, levels: int, symmetric: bool) -> Interval:
        interval = estimate(observer, levels)
        return widen_to_symmetric(interval) if symmetric else interval

    return estimator


ESTIMATORS: Mapping[str, Estimator] = {
    "minmax": _for_either(lambda observer, levels: minmax(observer)),
    "ordinary": _for_either(lambda observer, levels: ordinary(observer)),
    "percentile": _for_either(lambda observer, levels: percentile(observer)),
    "mse": mse,
    "kl": _for_either(kl),
}


def _magnitude_with_tail(counts: npt.NDArray[np.int64], tail: float) -> float:
    """Where, in bins, the histogram of magnitudes has exactly ``tail`` values above; 0 if never."""
    above = np.concatenate([np.cumsum(counts[::-1])[::-1], [0]])  # values at or above edge i
    if above[0] <= tail:
        return 0.0
    last = int(np.flatnonzero(above > tail)[-1])  # the bin in which the tail is reached
    return last + float(above[last] - tail) / float(counts[last])


def _clipping(
    counts: npt.NDArray[np.int64], bin_width: float, ends: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Summed squared error of the values beyond each end, and the number of the others.

    Args:
        counts: Histogram of magnitudes, [2048].
        bin_width: Real units.
        ends: Candidate ends, [n], >= 0.
    """
    centres = (np.arange(BINS) + 0.5) * bin_width
    first_beyond = np.searchsorted(centres, ends, side="right")
    moments = np.zeros((3, BINS + 1))  # of the bins from each index on: sum of n, n x, n x^2
    powers = counts * np.stack([np.ones(BINS), centres, centres**2])
    moments[:, :-1] = np.cumsum(powers[:, ::-1], axis=1)[:, ::-1]
    number, linear, square = moments[:, first_beyond]
    clipped = np.maximum(square - 2 * ends * linear + ends**2 * number, 0.0)
    return clipped, moments[0, 0] - number


def _least_divergent_cut(counts: npt.NDArray[np.int64], targets: int) -> int | None:
    """Number of bins to keep, or None if the histogram does not reach beyond the target bins."""
    occupied = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
    if occupied <= targets:
        return None
    total = float(counts.sum())
    running = np.concatenate([[0], np.cumsum(counts)])
    cuts = np.arange(targets, occupied + 1)
    cuts = cuts[total - running[cuts] <= _MOST_CUT_OFF * total]
    occupied_before = np.concatenate([[0], np.cumsum(counts > 0)])
    # sum P log P, from running sums of n log n with the last bin replaced.
    entropies = np.concatenate([[0.0], np.cumsum(_n_log_n(counts))])
    divergence = np.concatenate(
        [
            _divergence(counts, running, occupied_before, entropies, part, targets)
            for part in np.array_split(cuts, -(-len(cuts) // _CUTS_AT_ONCE))
        ]
    )
    return int(cuts[divergence <= divergence.min() + _EQUAL_DIVERGENCE][-1])


def _divergence(
    counts: npt.NDArray[np.int64],
    running: npt.NDArray[np.int64],
    occupied_before: npt.NDArray[np.int64],
    entropies: npt.NDArray[np.float64],
    cuts: npt.NDArray[np.int64],
    targets: int,
) -> npt.NDArray[np.float64]:
    """KL(P || Q) of each cut, see ``kl``; the sums run up to each bin."""
    total = float(running[-1])
    # Target bin t of cut i holds bins ceil(t i / targets) .. ceil((t + 1) i / targets) - 1.
    edges = -(-np.arange(targets + 1) * cuts[:, None] // targets)
    merged = np.diff(running[edges], axis=1).astype(np.float64)
    spread_over = np.diff(occupied_before[edges], axis=1).astype(np.float64)
    outliers = total - running[cuts]
    last = counts[cuts - 1]
    spread_over[:, -1] += (last == 0) & (outliers > 0)  # only P's last bin can gain a non-zero
    reference = merged.copy()
    reference[:, -1] += outliers
    entropy = entropies[cuts - 1] + _n_log_n(last + outliers)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_q = np.log(merged / (spread_over * running[cuts, None]))
        cross = np.where(reference > 0, reference * log_q, 0.0).sum(axis=1)
    divergence: npt.NDArray[np.float64] = (entropy - cross) / total - np.log(total)
    return divergence


def _n_log_n(counts: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    n = np.asarray(counts, dtype=np.float64)
    result: npt.NDArray[np.float64] = n * np.log(np.maximum(n, 1.0))
    return result
