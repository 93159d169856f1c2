"""What the range estimators need to know about one tensor, gathered in one pass.

The histogram is two histograms of |x|, one per sign, over [0, R) with R a power of two. When a
larger value arrives R doubles and neighbouring bins merge. Scaling by a power of two is exact, so
the result is the same as if the final R had been known from the start: the order in which values
arrive does not matter. Values that are exactly 0 (most of a ReLU output) are counted apart; they
cost nothing to quantize, and an estimator decides for itself whether they are to have weight.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError
from tflite_eq.execution.float_network import describe_not_finite
from tflite_eq.graph.model import Graph

BINS = 2048

# Values of one tensor and sample that enter its histogram: of 50 samples, 400 to each of its bins.
_HISTOGRAM_VALUES = 1 << 14

# Below this R all values count as the smallest bin; float32 could not hold bins / R much further.
_SMALLEST_EXPONENT = -100


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Values in bins of equal width, few enough to draw.

    Attributes:
        low: Lower end of the first bin, a multiple of ``width``.
        width: Width of a bin.
        counts: Values other than 0 per bin.
        zeros: Values that are exactly 0.
    """

    low: float
    width: float
    counts: tuple[int, ...]
    zeros: int


class RangeObserver:
    """Exact extremes and a histogram of a tensor whose values arrive in pieces.

    Memory is constant (about 32 KiB). Of a large piece only a random subset enters the histogram,
    one value from each of equally long stretches; the extremes always see every value. The same
    pieces in the same order give the same state.

    Attributes:
        name: Tensor name used in error messages.
    """

    def __init__(
        self, name: str = "", *, seed: int = 0, max_samples_per_update: int = 65536
    ) -> None:
        """Starts with no values.

        Args:
            name: Tensor name for error messages.
            seed: Seed of the random subset.
            max_samples_per_update: Values of one update that enter the histogram, > 0.

        Raises:
            ValueError: ``max_samples_per_update`` is not positive.
        """
        if max_samples_per_update <= 0:
            raise ValueError(f"max_samples_per_update must be > 0, got {max_samples_per_update}")
        self.name = name
        self._max_samples = max_samples_per_update
        self._random = np.random.default_rng(seed)
        self._minimum = math.inf
        self._maximum = -math.inf
        self._ordinary = (math.inf, -math.inf)
        self._count = 0
        self._zeros = 0
        self._exponent = _SMALLEST_EXPONENT
        self._counts = np.zeros((2, BINS), dtype=np.int64)

    def update(
        self, values: npt.NDArray[np.float32], ends: tuple[float, float] | None = None
    ) -> None:
        """Adds values of any shape; none at all is allowed and changes nothing.

        Args:
            values: The values.
            ends: The smallest and largest of them, where these are known.

        Raises:
            DatasetError: A value is NaN or infinite. The observer is left as it was.
        """
        flat = np.asarray(values, dtype=np.float32).reshape(-1)
        if flat.size == 0:
            return
        low, high = ends or (float(flat.min()), float(flat.max()))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise DatasetError(describe_not_finite(self.name, flat))
        self._see((low, high), flat.size)
        self._ordinary = min(self._ordinary[0], low), max(self._ordinary[1], high)
        self._add_to_histogram(self._subset(flat))

    def reach(self, ends: tuple[float, float], count: int) -> None:
        """Adds values by their extremes alone: the histogram, and what is read off it, stays.

        Args:
            ends: The smallest and largest of them, finite.
            count: How many they are.
        """
        self._minimum = min(self._minimum, ends[0])
        self._maximum = max(self._maximum, ends[1])
        self._count += count

    @property
    def ordinary(self) -> tuple[float, float]:
        """Smallest and largest of the values that ``update`` has seen; of all, if it saw none.

        Raises:
            DatasetError: No value was seen.
        """
        low, high = self._ordinary
        return (low, high) if low <= high else (self.minimum, self.maximum)

    @property
    def has_loud(self) -> bool:
        """Whether values were added by their extremes alone that reach beyond all others."""
        return self._count > 0 and self.ordinary != (self._minimum, self._maximum)

    @property
    def count(self) -> int:
        """Number of values seen, whether or not they entered the histogram."""
        return self._count

    @property
    def minimum(self) -> float:
        """Smallest value seen.

        Raises:
            DatasetError: No value was seen.
        """
        self._require_values()
        return self._minimum

    @property
    def maximum(self) -> float:
        """Largest value seen.

        Raises:
            DatasetError: No value was seen.
        """
        self._require_values()
        return self._maximum

    @property
    def largest_magnitude(self) -> float:
        """Largest |value| seen.

        Raises:
            DatasetError: No value was seen.
        """
        return max(-self.minimum, self.maximum)

    @property
    def zeros(self) -> int:
        """Number of sampled values that are exactly 0; they are not in the histograms."""
        return self._zeros

    @property
    def negative_counts(self) -> npt.NDArray[np.int64]:
        """Sampled values < 0 by magnitude, [2048]; bin i is (-i - 1, -i] * bin_width."""
        negative: npt.NDArray[np.int64] = self._counts[0].copy()
        return negative

    @property
    def positive_counts(self) -> npt.NDArray[np.int64]:
        """Sampled values > 0, [2048]; bin i is [i, i + 1) * bin_width."""
        positive: npt.NDArray[np.int64] = self._counts[1].copy()
        return positive

    @property
    def magnitude_counts(self) -> npt.NDArray[np.int64]:
        """Sampled values != 0 by |value|, [2048]; bin i is [i, i + 1) * bin_width.

        The largest value lies in the upper half of the bins (R / 2 <= max|x| < R).
        """
        counts: npt.NDArray[np.int64] = self._counts.sum(axis=0)
        return counts

    @property
    def bin_width(self) -> float:
        """Width of all bins in real units, a power of two."""
        return math.ldexp(1.0 / BINS, self._exponent)

    def histogram(self, most_bins: int = 128) -> Histogram:
        """The sampled values in bins that begin or end at 0, at most ``most_bins`` (>= 2) of them.

        Fine bins are merged whole, so that no count is split.

        Raises:
            DatasetError: No value was seen.
        """
        self._require_values()
        fine = [self._fine_bins(-self._minimum), max(1, self._fine_bins(self._maximum))]
        merged = 1
        while sum(-(-bins // merged) for bins in fine) > most_bins:
            merged += 1
        sides = []
        for counts, bins in zip(self._counts, fine):
            padded = np.zeros(-(-bins // merged) * merged, np.int64)
            padded[:bins] = counts[:bins]
            sides.append(padded.reshape(-1, merged).sum(axis=1))
        width = merged * self.bin_width
        return Histogram(
            low=-len(sides[0]) * width,
            width=width,
            counts=tuple(int(n) for n in np.concatenate([sides[0][::-1], sides[1]])),
            zeros=self._zeros,
        )

    def _fine_bins(self, magnitude: float) -> int:
        """Bins from 0 to a magnitude that was seen; none if it is not above 0."""
        if magnitude <= 0:
            return 0
        return min(int(magnitude / self.bin_width) + 1, BINS)

    def _require_values(self) -> None:
        if self._count == 0:
            raise DatasetError(
                f"tensor {self.name!r}: no calibration values were seen, expected at least one; "
                "check that the calibration dataset is not empty"
            )

    def _see(self, ends: tuple[float, float], count: int) -> None:
        self._minimum = min(self._minimum, ends[0])
        self._maximum = max(self._maximum, ends[1])
        self._count += count
        self._grow(max(-ends[0], ends[1]))

    def _grow(self, magnitude: float) -> None:
        """Doubles R until it exceeds the magnitude, merging bins."""
        exponent = math.frexp(magnitude)[1]  # magnitude < 2^exponent
        if magnitude == 0.0 or exponent <= self._exponent:
            return
        merged = min(1 << min(exponent - self._exponent, BINS.bit_length()), BINS)
        kept = BINS // merged
        counts = np.zeros_like(self._counts)
        counts[:, :kept] = self._counts.reshape(2, kept, merged).sum(axis=2)
        self._counts = counts
        self._exponent = exponent

    def _subset(self, flat: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """One value at random from each of at most ``max_samples`` stretches of equal length."""
        stretch = -(-flat.size // self._max_samples)
        if stretch == 1:
            return flat
        # Random within the stretch: a fixed stride would see only some channels of an NHWC tensor.
        chosen = np.arange(0, flat.size, stretch)
        chosen += self._random.integers(stretch, size=chosen.size)
        chosen[-1] = min(chosen[-1], flat.size - 1)  # the last stretch may be shorter
        subset: npt.NDArray[np.float32] = flat[chosen]
        return subset

    def _add_to_histogram(self, sample: npt.NDArray[np.float32]) -> None:
        bins_per_unit = np.float32(math.ldexp(float(BINS), -self._exponent))
        cells = (np.abs(sample) * bins_per_unit).astype(np.intp)
        cells += BINS * (sample >= 0)
        self._counts += np.bincount(cells, minlength=2 * BINS).reshape(2, BINS)
        zeros = sample.size - int(np.count_nonzero(sample))
        self._counts[1, 0] -= zeros
        self._zeros += zeros


def new_observers(graph: Graph, tensors: Iterable[int], seed: int) -> dict[int, RangeObserver]:
    """Observers that have seen nothing; ``seed`` decides what enters their histograms."""
    return {
        index: RangeObserver(
            graph.tensors[index].name, seed=seed + index, max_samples_per_update=_HISTOGRAM_VALUES
        )
        for index in tensors
    }
