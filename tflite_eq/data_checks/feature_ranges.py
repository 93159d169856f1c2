"""Inputs whose features differ in range by more than one scale can hold.

An int8 input has one scale for all its features. One that varies within a few of its steps is all
but gone, however much the network makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import Sample
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.channel_ends import channel_ends

# A feature that varies by less than this part of the whole has fewer than 4 of 256 codes.
_NARROW = 1 / 64

# A feature that contributes less than this part of the largest contribution is not missed.
_LEAST_CONTRIBUTION = 1 / 64

# More features than this are positions in time or space, which may well be silent.
_MOST_FEATURES = 512


class FeatureRanges:
    """Smallest and largest value of every feature of the inputs, the last dimension."""

    def __init__(self, graph: Graph, inputs: Iterable[int]) -> None:
        """Watch inputs that have features: [batch, ..., features]."""
        self._graph = graph
        self._low: dict[int, npt.NDArray[np.float64]] = {}
        self._high: dict[int, npt.NDArray[np.float64]] = {}
        for index in inputs:
            shape = graph.tensors[index].shape
            if len(shape) > 1 and 2 <= shape[-1] <= _MOST_FEATURES:
                self._low[index] = np.full(shape[-1], np.inf)
                self._high[index] = np.full(shape[-1], -np.inf)

    def add(self, sample: Sample) -> None:
        """Take a sample into account."""
        for index, low in self._low.items():
            values = sample[index].reshape(-1, len(low))
            if not len(values):
                continue
            least, greatest = channel_ends(values)
            np.minimum(low, least, out=low)
            np.maximum(self._high[index], greatest, out=self._high[index])

    def doubt(self, layers: Iterable[LinearLayer], index: int) -> str | None:
        """What to do about an input whose features differ too much; ``None`` if they do not.

        Args:
            layers: The linear layers of the network.
            index: The input's tensor index.
        """
        if index not in self._low:
            return None
        low, high = self._low[index], self._high[index]
        spread = high - low
        whole = max(float(high.max()), 0.0) - min(float(low.min()), 0.0)
        readers = [layer for layer in layers if layer.input == index]
        used = spread * _strengths(readers, len(spread))
        is_narrow = (spread > 0) & (spread < whole * _NARROW)
        is_narrow &= used >= used.max() * _LEAST_CONTRIBUTION
        if not is_narrow.any():
            return None
        narrow = np.flatnonzero(is_narrow)
        factor = whole / float(spread[narrow].min())
        named = ", ".join(map(str, narrow[:5])) + (", ..." if len(narrow) > 5 else "")
        remedy = "normalise every feature in front of the network (subtract its mean, divide by "
        remedy += "its deviation, and train with that)"
        if skip := self._skipping(index):
            remedy += f", or keep what reads the input in float: --skip '{skip}'"
        return (
            f"features of input '{self._graph.tensors[index].name}' differ in range by a factor of "
            f"{factor:,.0f}: feature {named} of {len(spread)} varies within "
            f"{max(255 / factor, 0.01):.2g} of the 255 steps that one int8 scale has for all of "
            f"them, and is lost. Better {remedy}"
        )

    def _skipping(self, index: int) -> str | None:
        """An expression for what reads the input."""
        graph = self._graph
        names = [graph.tensors[o.outputs[0]].name for o in graph.operators if o.outputs]
        readers = [o for o in graph.consumers(index) if o.outputs]
        return matching([graph.tensors[o.outputs[0]].name for o in readers], names)


def _strengths(readers: list[LinearLayer], features: int) -> npt.NDArray[np.float64]:
    """What the first layers make of each feature, RMS of their weights; ones if unknown."""
    found = np.zeros(features)
    for layer in readers:
        # [K, ..., C]: a filter that has the features last, as dense layers and convolutions do.
        if layer.filters.shape[-1] != features:
            return np.ones(features)
        found += (layer.filters.reshape(-1, features).astype(np.float64) ** 2).sum(axis=0)
    return np.sqrt(found) if found.any() else np.ones(features)
