"""Samples whose activations reach far beyond those of all others.

One such sample decides the range of every tensor that is not clipped, and the others are rounded in
steps that are as many times too large. What a sample reaches in a tensor is its *peak*, the largest
magnitude there. A sample is *loud* in a tensor if its peak is several times the median of all
samples' peaks, and farther from it than peaks of that tensor lie apart anyway: a score that few
samples raise has peaks of all sizes, and no outliers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Double = npt.NDArray[np.float64]

# Fewer samples do not tell what is usual.
FEWEST_SAMPLES = 20

# A peak of so many times the median is an outlier where the upper quartile is near the median: of
# 730 tensors of 9 networks, none had a photograph that reached 4 times the median.
_TIMES = 4.0

# Where the upper quartile is farther from the median than this, outliers are farther, too: by so
# many times as much in logarithms. Of peaks that are spread log-normally by a factor of 4.5 (one
# standard deviation), one in 3000 is one.
_NEAR_QUARTILE = 1.3
_STEEPNESS = 5

# Part of the tensors that a sample has to be loud in, so that a single score does not make it so.
_PART_OF_TENSORS = 0.05

# A larger part of the samples are no outliers, but what the network is to work on.
MOST_LOUD = 0.1


@dataclasses.dataclass(frozen=True)
class LoudSample:
    """One sample that reaches far beyond the others.

    Attributes:
        number: Its number among the calibration samples, from 0.
        times: Its peak by the median peak, in the tensor where that is largest.
        tensor: That tensor's index.
        tensors: In how many tensors it is loud.
    """

    number: int
    times: float
    tensor: int
    tensors: int

    @property
    def share(self) -> float:
        """What it counts beside an ordinary sample, in (0, 1).

        Clipped at what the others reach, a sample of 10 times as much loses nearly all of its
        signal; with 1e-4 that weighs as much as what 8 bits round off all others.
        """
        return 1 / self.times**4


class SampleEnds:
    """Smallest and largest value that every sample has in every float tensor of a network."""

    def __init__(self, ends: Mapping[int, npt.ArrayLike]) -> None:
        """Take the ends by tensor index, [samples, 2] each."""
        self._ends = {index: np.asarray(found, np.float64) for index, found in ends.items()}

    def loud_samples(self) -> list[LoudSample]:
        """The loud samples by their number; none of fewer than 20 samples."""
        indices = sorted(self._ends)
        if not indices or len(self._ends[indices[0]]) < FEWEST_SAMPLES:
            return []
        peaks = np.array([np.abs(self._ends[index]).max(axis=1) for index in indices])
        times, limits = _times_the_median(peaks)
        is_loud = times > limits
        counts = is_loud.sum(axis=0)
        least = max(1.0, _PART_OF_TENSORS * len(indices))
        loud = np.where(is_loud, times, 0.0)
        return [
            LoudSample(
                number=int(number),
                times=float(loud[:, number].max()),
                tensor=indices[int(loud[:, number].argmax())],
                tensors=int(counts[number]),
            )
            for number in np.flatnonzero(counts >= least)
        ]

    def reaches(self) -> Double:
        """How far each sample reaches: its peak by the median peak, where that is largest.

        Tensors that most samples leave at 0 do not count.
        """
        peaks = [np.abs(found).max(axis=1) for found in self._ends.values() if len(found)]
        if not peaks:
            return np.zeros(0)
        times, limits = _times_the_median(np.array(peaks))
        counted: Double = np.where(np.isfinite(limits), times, 0.0)
        largest: Double = counted.max(axis=0)
        return largest

    def times_in(self, tensor: int, number: int) -> float:
        """A sample's peak in a tensor by the median peak."""
        peaks = np.abs(self._ends[tensor]).max(axis=1)[np.newaxis]
        return float(_times_the_median(peaks)[0][0, number])


def _times_the_median(peaks: Double) -> tuple[Double, Double]:
    """Peaks [tensors, samples] by their medians, and from which on they are outliers [tensors, 1].

    Of a tensor that most samples leave at 0, no peak is an outlier.
    """
    median, quartile = np.quantile(peaks, [0.5, 0.75], axis=1, keepdims=True)
    known = median > 0
    median = np.where(known, median, 1.0)
    spread = np.maximum(quartile / median / _NEAR_QUARTILE, 1.0)
    limits = np.where(known, _TIMES * spread**_STEEPNESS, np.inf)
    return peaks / median, limits
