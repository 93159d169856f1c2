"""What the tensors of the FP32 network reach, some of them channel by channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.float_network import FloatNetwork
from tflite_eq.calibration.ranges import Interval
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track

# What ``ChannelStatistics.sampled`` takes, of one sample and of all.
_ROWS_PER_SAMPLE = 16
_MOST_ROWS = 3200

Double = npt.NDArray[np.float64]


class ChannelStatistics:
    """Running figures of one tensor's channels, each [C].

    Attributes:
        least: Smallest value; infinite before there is any.
        greatest: Largest value; minus infinity before there is any.
    """

    def __init__(self, channels: int, seed: int) -> None:
        """Start with no values; ``seed`` decides the positions that ``sampled`` holds."""
        self._rng = np.random.default_rng(seed)
        self._sampled: list[npt.NDArray[np.float32]] = []
        self.least = np.full(channels, np.inf)
        self.greatest = np.full(channels, -np.inf)
        self._count = 0
        self._sums = np.zeros(channels)
        self._squares = np.zeros(channels)

    def update(self, values: npt.NDArray[np.float32]) -> None:
        """Add values, channels last."""
        rows = values.reshape(-1, values.shape[-1])
        self.least = np.minimum(self.least, rows.min(axis=0))
        self.greatest = np.maximum(self.greatest, rows.max(axis=0))
        chosen = self._rng.integers(len(rows), size=min(_ROWS_PER_SAMPLE, len(rows)))
        self._sampled.append(rows[chosen])
        self._count += len(rows)
        self._sums += rows.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("nc,nc->c", rows, rows)

    @property
    def largest(self) -> Double:
        """Largest magnitude."""
        return np.maximum(self.greatest, -self.least)

    @property
    def variance(self) -> Double:
        """Mean squared distance from the mean."""
        mean = self._sums / max(self._count, 1)
        return np.maximum(self._squares / max(self._count, 1) - mean**2, 0.0)

    @property
    def sampled(self) -> npt.NDArray[np.float32]:
        """Values at random positions of all samples, [n, C] with n <= 3200."""
        rows = np.concatenate(self._sampled)
        return rows[:: -(-len(rows) // _MOST_ROWS)]


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one pass of the FP32 network over the calibration samples has shown.

    Attributes:
        channels: Figures of the channels of the tensors that were asked for, by tensor index.
        extremes: Smallest and largest value of every float input and computed tensor that has
            any, by tensor index.
    """

    channels: dict[int, ChannelStatistics]
    extremes: dict[int, Interval]


def observe_channels(
    graph: Graph, tensors: Sequence[int], reader: SampleReader, seed: int
) -> Observed:
    """Run the FP32 network over all samples.

    Args:
        graph: The float network.
        tensors: Computed float tensors whose channels are of interest, channels last.
        reader: The calibration samples; read once.
        seed: Decides which positions of the tensors are kept.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    network = FloatNetwork(graph)
    channels = {t: ChannelStatistics(graph.tensors[t].shape[-1], seed) for t in tensors}
    extremes: dict[int, Interval] = {}
    others = set(network.float_tensors) - channels.keys()
    for number, sample in enumerate(track(reader, "Calibrating: channels")):
        for tensor, values in network.run(sample, number):
            if tensor in channels:
                channels[tensor].update(values)
            elif tensor in others and values.size:
                low, high = extremes.get(tensor, (np.inf, -np.inf))
                extremes[tensor] = min(low, float(values.min())), max(high, float(values.max()))
    for tensor, found in channels.items():
        extremes[tensor] = float(found.least.min()), float(found.greatest.max())
    return Observed(channels, extremes)
