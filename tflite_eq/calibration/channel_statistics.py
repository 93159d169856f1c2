"""What each channel of some tensors of the FP32 network reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.float_network import FloatNetwork
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track

# What ``ChannelStatistics.sampled`` takes, of one sample and of all.
_ROWS_PER_SAMPLE = 16
_MOST_ROWS = 3200

Double = npt.NDArray[np.float64]


class ChannelStatistics:
    """Running figures of one tensor's channels, each [C].

    Attributes:
        largest: Largest magnitude.
    """

    def __init__(self, channels: int, seed: int) -> None:
        """Start with no values; ``seed`` decides the positions that ``sampled`` holds."""
        self._rng = np.random.default_rng(seed)
        self._sampled: list[npt.NDArray[np.float32]] = []
        self.largest = np.zeros(channels)
        self._count = 0
        self._sums = np.zeros(channels)
        self._squares = np.zeros(channels)

    def update(self, values: npt.NDArray[np.float32]) -> None:
        """Add values, channels last."""
        rows = values.reshape(-1, values.shape[-1])
        self.largest = np.maximum(self.largest, np.maximum(rows.max(axis=0), -rows.min(axis=0)))
        chosen = self._rng.integers(len(rows), size=min(_ROWS_PER_SAMPLE, len(rows)))
        self._sampled.append(rows[chosen])
        self._count += len(rows)
        self._sums += rows.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("nc,nc->c", rows, rows)

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


def channel_statistics(
    graph: Graph, tensors: Sequence[int], reader: SampleReader, seed: int
) -> dict[int, ChannelStatistics]:
    """Run the FP32 network over all samples and look at some of its tensors.

    Args:
        graph: The float network.
        tensors: Float tensors, channels last.
        reader: The calibration samples; read once.
        seed: Decides which positions of the tensors are kept.

    Returns:
        Figures by tensor index.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    found = {t: ChannelStatistics(graph.tensors[t].shape[-1], seed) for t in tensors}
    network = FloatNetwork(graph, tensors)
    for number, sample in enumerate(track(reader, "Calibrating: channels")):
        for tensor, values in network.run(sample, number):
            found[tensor].update(values)
    return found
