"""What the tensors of the FP32 network reach, some of them channel by channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import Sample
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.channel_ends import channel_ends
from tflite_eq.progress import track
from tflite_eq.statistics.histogram import RangeObserver, new_observers
from tflite_eq.statistics.loud_samples import SampleEnds
from tflite_eq.statistics.ranges import Interval

# What ``ChannelStatistics.sampled`` takes, of one sample and of all.
_ROWS_PER_SAMPLE = 16
_MOST_ROWS = 3200

# Histograms of scaled channels are made of so many values of one sample, and of as many in all as
# the most rows of a tensor with so many channels have: half a million.
_HISTOGRAM_VALUES = 1 << 13
_HISTOGRAM_CHANNELS = 160

# Rows of one sample that variances are taken of, evenly spread.
_VARYING_ROWS = 1024

_ONE = np.ones(1, np.float32)

Double = npt.NDArray[np.float64]


class ChannelStatistics:
    """Running figures of one tensor's channels, each [C]; memory does not grow with the samples.

    Attributes:
        least: Smallest value; infinite before there is any.
        greatest: Largest value; minus infinity before there is any.
    """

    def __init__(self, channels: int, seed: int) -> None:
        """Start with no values; ``seed`` decides the positions that are kept."""
        self._rng = np.random.default_rng(seed)
        self._sampled = _SpreadRows(channels, _MOST_ROWS)
        self._histogram_rng = np.random.default_rng([seed, 1])
        self._histogram_rows = -(-_HISTOGRAM_VALUES // max(channels, 1))
        most = -(-_MOST_ROWS * _HISTOGRAM_CHANNELS // max(channels, 1))
        self._histogram = _SpreadRows(channels, most)
        self.least = np.full(channels, np.inf)
        self.greatest = np.full(channels, -np.inf)
        self._loud = self.least, self.greatest
        self._count = 0
        # Near the means: around 0, a mean far above what varies would leave nothing of that.
        self._origin: npt.NDArray[np.float32] | None = None
        self._sums = np.zeros(channels)
        self._squares = np.zeros(channels)

    def update(self, values: npt.NDArray[np.float32]) -> None:
        """Add values, channels last."""
        rows = values.reshape(-1, values.shape[-1])
        if not len(rows):
            return
        least, greatest = channel_ends(rows)
        self.least = np.minimum(self.least, least)
        self.greatest = np.maximum(self.greatest, greatest)
        self._sampled.add(_some(rows, _ROWS_PER_SAMPLE, self._rng))
        self._histogram.add(_some(rows, self._histogram_rows, self._histogram_rng))
        rows = rows[:: max(1, len(rows) // _VARYING_ROWS)]
        if self._origin is None:
            self._origin = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = rows - self._origin
        self._count += len(rows)
        self._sums += centred.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("nc,nc->c", centred, centred)

    def reach(self, values: npt.NDArray[np.float32]) -> None:
        """Add values by their extremes alone, which ``least`` and ``greatest`` do not tell."""
        rows = values.reshape(-1, values.shape[-1])
        if len(rows):
            least, greatest = channel_ends(rows)
            self._loud = np.minimum(self._loud[0], least), np.maximum(self._loud[1], greatest)

    @property
    def nbytes(self) -> int:
        """Bytes of the values that are kept."""
        return self._sampled.nbytes + self._histogram.nbytes

    @property
    def largest(self) -> Double:
        """Largest magnitude."""
        return np.maximum(self.greatest, -self.least)

    @property
    def variance(self) -> Double:
        """Mean squared distance from the mean."""
        count = max(self._count, 1)
        return np.maximum(self._squares / count - (self._sums / count) ** 2, 0.0)

    @property
    def sampled(self) -> npt.NDArray[np.float32]:
        """Values at random positions, evenly spread over all samples, [n, C] with n <= 3200."""
        return self._sampled.rows()

    def scaled(self, seen: RangeObserver, factors: npt.NDArray[np.float32]) -> RangeObserver:
        """What an observer sees of the tensor once its channels are divided by factors.

        Extremes are exact; the histogram is that of values at random positions, for all that was
        seen by more than its extremes.

        Args:
            seen: What it has seen of the tensor as it is.
            factors: What channels are divided by, [C], > 0.
        """
        rows = self._histogram.rows() / factors
        found = RangeObserver(seen.name, max_samples_per_update=max(rows.size, 1))
        if rows.size:
            ends = float((self.least / factors).min()), float((self.greatest / factors).max())
            found.update(rows, ends)
        least = (np.minimum(self.least, self._loud[0]) / factors).min()
        greatest = (np.maximum(self.greatest, self._loud[1]) / factors).max()
        if seen.count:
            found.reach((float(least), float(greatest)), seen.count - rows.size)
        return found


def _some(
    rows: npt.NDArray[np.float32], count: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """At most so many rows at random."""
    chosen: npt.NDArray[np.float32] = rows[rng.integers(len(rows), size=min(count, len(rows)))]
    return chosen


class _SpreadRows:
    """Rows evenly spread over a stream of unknown length: every 1st, 2nd, 4th... of them."""

    def __init__(self, channels: int, limit: int) -> None:
        self._limit = limit
        self._stride = 1
        self._offered = 0
        self._kept = [np.zeros((0, channels), np.float32)]
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of those kept."""
        return sum(rows.nbytes for rows in self._kept)

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Take the next rows [n, C] of the stream into account."""
        # A copy: a view would keep the rows alive that are left out.
        self._kept.append(rows[-self._offered % self._stride :: self._stride].copy())
        self._offered += len(rows)
        self._count += len(self._kept[-1])
        while self._count > self._limit:
            self._kept = [np.concatenate(self._kept)[::2].copy()]
            self._count = len(self._kept[0])
            self._stride *= 2

    def rows(self) -> npt.NDArray[np.float32]:
        """Those kept, [n, C]."""
        return np.concatenate(self._kept)


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one pass of the FP32 network over the calibration samples has shown.

    Attributes:
        ends: What every sample reaches.
        channels: Figures of the channels of the tensors that were asked for, by tensor index.
        observers: Ranges of all float inputs and computed tensors, by tensor index; without a
            histogram where ``channels`` have one.
        kept: Values that were asked for, by sample and tensor index.
    """

    ends: SampleEnds
    channels: dict[int, ChannelStatistics]
    observers: dict[int, RangeObserver]
    kept: dict[int, dict[int, npt.NDArray[np.float32]]]

    @property
    def extremes(self) -> dict[int, Interval]:
        """Smallest and largest value of every float tensor that has any, by tensor index."""
        return {i: (o.minimum, o.maximum) for i, o in self.observers.items() if o.count}

    def scaled(self, factors: Mapping[int, npt.NDArray[np.float32]]) -> Mapping[int, RangeObserver]:
        """Ranges in the network whose channels are divided by factors, [C] by tensor index.

        It computes the same up to the rounding of float32, so it need not run.
        """
        found = dict(self.observers)
        for index, channels in self.channels.items():
            found[index] = channels.scaled(found[index], factors.get(index, _ONE))
        return found


def observe_channels(
    graph: Graph,
    tensors: Iterable[int],
    samples: Iterable[Sample],
    seed: int,
    *,
    loud: Container[int] = (),
    keep: Mapping[int, Container[int]] | None = None,
) -> Observed:
    """Run the FP32 network over all samples.

    Ranges come from the network's own outputs, not from TensorFlow's ``Calibrator``, which
    reports wrong ones for inputs of in-place ADDs (tensorflow issue 127842).

    Args:
        graph: The float network.
        tensors: Computed float tensors whose channels are of interest, channels last.
        samples: The calibration samples; iterated once.
        seed: Decides which positions of the tensors are kept, and what enters histograms.
        loud: Numbers of samples whose extremes count and whose other values do not.
        keep: Tensors whose values are to be kept, by the number of a sample.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    network = FloatNetwork(graph)
    channels = {t: ChannelStatistics(graph.tensors[t].shape[-1], seed) for t in tensors}
    observers = new_observers(graph, network.float_tensors, seed)
    ends: dict[int, list[Interval]] = {index: [] for index in observers}
    kept: dict[int, dict[int, npt.NDArray[np.float32]]] = {}
    for number, sample in enumerate(track(samples, "Calibrating: FP32 ranges")):
        wanted = keep.get(number, ()) if keep else ()
        for tensor, values in network.run(sample, number, lent=True):
            if tensor in wanted:
                kept.setdefault(number, {})[tensor] = np.array(values)
            if tensor not in observers:
                del values
                continue
            ends[tensor].append(network.ends or (0.0, 0.0))
            is_loud = number in loud and network.ends is not None
            if tensor in channels:
                (channels[tensor].reach if is_loud else channels[tensor].update)(values)
            if is_loud or tensor in channels:  # the histogram follows from the channels' values
                observers[tensor].reach(ends[tensor][-1], values.size)
            else:
                observers[tensor].update(values, network.ends)
            del values  # they are lent
    return Observed(SampleEnds(ends), channels, observers, kept)
