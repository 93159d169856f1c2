"""What the tensors of the FP32 network reach, some of them channel by channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import Sample
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.statistics.histogram import RangeObserver, new_observers
from tflite_eq.statistics.ranges import Interval

# What ``ChannelStatistics.sampled`` takes, of one sample and of all.
_ROWS_PER_SAMPLE = 16
_MOST_ROWS = 3200

# Rows of one sample that variances are taken of, evenly spread.
_VARYING_ROWS = 1024

Double = npt.NDArray[np.float64]


class ChannelStatistics:
    """Running figures of one tensor's channels, each [C]; memory does not grow with the samples.

    Attributes:
        least: Smallest value; infinite before there is any.
        greatest: Largest value; minus infinity before there is any.
    """

    def __init__(self, channels: int, seed: int) -> None:
        """Start with no values; ``seed`` decides the positions that ``sampled`` holds."""
        self._rng = np.random.default_rng(seed)
        self._sampled = _SpreadRows(channels, _MOST_ROWS)
        self.least = np.full(channels, np.inf)
        self.greatest = np.full(channels, -np.inf)
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
        self.least = np.minimum(self.least, rows.min(axis=0))
        self.greatest = np.maximum(self.greatest, rows.max(axis=0))
        chosen = self._rng.integers(len(rows), size=min(_ROWS_PER_SAMPLE, len(rows)))
        self._sampled.add(rows[chosen])
        rows = rows[:: max(1, len(rows) // _VARYING_ROWS)]
        if self._origin is None:
            self._origin = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = rows - self._origin
        self._count += len(rows)
        self._sums += centred.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("nc,nc->c", centred, centred)

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


class _SpreadRows:
    """Rows evenly spread over a stream of unknown length: every 1st, 2nd, 4th... of them."""

    def __init__(self, channels: int, limit: int) -> None:
        self._limit = limit
        self._stride = 1
        self._offered = 0
        self._kept = [np.zeros((0, channels), np.float32)]
        self._count = 0

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
        channels: Figures of the channels of the tensors that were asked for, by tensor index.
        observers: Ranges of all float inputs and computed tensors, by tensor index.
    """

    channels: dict[int, ChannelStatistics]
    observers: dict[int, RangeObserver]

    @property
    def extremes(self) -> dict[int, Interval]:
        """Smallest and largest value of every float tensor that has any, by tensor index."""
        return {i: (o.minimum, o.maximum) for i, o in self.observers.items() if o.count}


def observe_channels(
    graph: Graph, tensors: Sequence[int], samples: Iterable[Sample], seed: int
) -> Observed:
    """Run the FP32 network over all samples.

    Args:
        graph: The float network.
        tensors: Computed float tensors whose channels are of interest, channels last.
        samples: The calibration samples; iterated once.
        seed: Decides which positions of the tensors are kept.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    network = FloatNetwork(graph)
    channels = {t: ChannelStatistics(graph.tensors[t].shape[-1], seed) for t in tensors}
    observers = new_observers(graph, network.float_tensors, seed)
    for number, sample in enumerate(track(samples, "Calibrating: FP32 ranges")):
        for tensor, values in network.run(sample, number):
            if tensor in channels:
                channels[tensor].update(values)
            if tensor in observers:
                observers[tensor].update(values, network.ends)
    return Observed(channels, observers)
