"""Outputs of linear layers: those that corrections look at, and the last steps of all.

Gain and bias are means over samples and positions, which need no more rows than they are known well
by: of 8192, spread over all samples and over the picture, the mean of an error is known to 1/90 of
its deviation, which leaves 0.012 % of its energy. So their cost does not grow with the picture.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.numerics.activation import activate

Float = npt.NDArray[np.float32]

# Output positions that corrections look at, over all samples. Where a layer has so many channels
# that these were more values than the second figure, fewer, but no fewer than the third.
_ROWS = 8192
_VALUES = 1 << 23
_FEWEST_ROWS = 4096

# Rows that are summed up in float32 before they are added to the sums of all.
_BLOCK_ROWS = 2048

# Values that the caches hold while several operations go over them.
_BLOCK_VALUES = 1 << 15


@dataclasses.dataclass(frozen=True)
class SampledOutputs:
    """Pre-activation outputs of both networks at the same positions, with the float bias.

    Attributes:
        exact: Of the float network, [n, K].
        quantized: Of the quantized one, [n, K].
    """

    exact: Float
    quantized: Float

    def with_gain(self, gain: float, bias: Float) -> SampledOutputs:
        """These outputs if the weights of the quantized layer were ``gain`` times as large."""
        if gain == 1.0:
            return self
        return SampledOutputs(self.exact, (self.quantized - bias) * np.float32(gain) + bias)

    @functools.cached_property
    def error_sums(self) -> ErrorSums:
        """Sums over all rows."""
        sums = ErrorSums(self.exact.shape[1])
        for start in range(0, len(self.exact), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            sums.update(self.exact[rows], self.quantized[rows])
        return sums

    def errors_behind(self, activation: str, offsets: Sequence[Float]) -> list[float]:
        """Squared error behind an activation function with each of ``offsets`` [K] in front."""
        totals = [0.0] * len(offsets)
        for start in range(0, len(self.exact), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            exact = activate(self.exact[rows].copy(), activation)
            for position, offset in enumerate(offsets):
                difference = activate(self.quantized[rows] + offset, activation)
                difference -= exact
                totals[position] += float(np.vdot(difference, difference))
        return totals


class OutputRows:
    """Outputs of both networks at the same positions, taken while they are computed.

    Positions are random, evenly spread over samples and over the picture.
    """

    def __init__(
        self,
        channels: int,
        samples: int,
        shares: npt.NDArray[np.float64] | None,
        rng: np.random.Generator,
    ) -> None:
        """Take none yet.

        Args:
            channels: Of the layer's output, where they come last, K.
            samples: Number of samples.
            shares: What each of them counts, [samples]: one that counts less gives fewer rows.
            rng: Decides the positions.
        """
        rows = min(_ROWS, max(_FEWEST_ROWS, _VALUES // channels))
        self._per_sample = -(-rows // samples)
        shape = self._per_sample * samples, channels
        self._exact, self._quantized = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._shares = shares
        self._rng = rng
        self._positions: dict[int, npt.NDArray[np.int64] | slice] = {}
        self._places: dict[int, slice] = {}

    def take_exact(self, sample: int, values: Float) -> None:
        """Take pre-activation outputs [..., K] of the float network, sample by sample."""
        rows = values.reshape(-1, values.shape[-1])
        part = 1.0 if self._shares is None else self._shares[sample]
        most = self._per_sample
        count = most if part == 1 else round(part * min(most, len(rows)))
        chosen = spread(len(rows), count, self._rng) if count else slice(0)
        found = rows[chosen]
        self._positions[sample] = chosen
        start = max((place.stop for place in self._places.values()), default=0)
        self._places[sample] = place = slice(start, start + len(found))
        self._exact[place] = found

    def take_quantized(self, sample: int, values: Float) -> None:
        """Take those of the quantized network, of a sample whose exact ones were taken."""
        rows = values.reshape(-1, values.shape[-1])
        self._quantized[self._places[sample]] = rows[self._positions[sample]]

    def outputs(self) -> SampledOutputs:
        """All that were taken; those of the quantized network are not kept any longer."""
        end = max((place.stop for place in self._places.values()), default=0)
        quantized, self._quantized = self._quantized[:end], np.empty_like(self._exact[:0])
        return SampledOutputs(self._exact[:end], quantized)


def spread(available: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64] | slice:
    """Ascending positions, one at random from each of at most ``count`` equal stretches."""
    if available <= count:
        return slice(None)
    ends = np.arange(count + 1) * available // count
    return ends[:-1] + rng.integers(ends[1:] - ends[:-1])


def finish(
    values: Float,
    activation: str,
    gain: float = 1.0,
    bias: Float | None = None,
    offset: Float | None = None,
) -> None:
    """Turn a layer's linear outputs with float bias into what it gives, in place.

    Args:
        values: Channels last, [..., K].
        activation: Fused activation function, by its schema name.
        gain: What the weights are multiplied by.
        bias: The float bias, [K], which the gain leaves alone.
        offset: What is added to the bias, [K].
    """
    rows = values.reshape(-1, values.shape[-1])
    step = max(1, _BLOCK_VALUES // values.shape[-1])
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        if gain != 1.0 and bias is not None:
            block -= bias
            block *= np.float32(gain)
            block += bias
        if offset is not None:
            block += offset
        activate(block, activation)
