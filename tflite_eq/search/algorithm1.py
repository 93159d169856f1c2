"""Algorithm 1 of EasyQuant as published (arXiv 2006.16669): one scale after the other.

The paper's ``S`` is what values are multiplied by before they are rounded, ``Q(X, S) = clip(round(X
S))``. Candidates are ``c S`` with ``c`` in [0.5, 2] in 100 linear steps around the ``S`` of the
largest magnitude, so that the step ``1 / S`` of the codes is divided by ``c``: two thirds of the
candidates clip. The one with the largest mean over the samples of

    cos(O, O'),   O the FP32 output of the layer, O' that of quantized weights and inputs  (eq. 4)

is taken, of equal ones the present scale, then the first. Each filter has a scale by the cosine of
its own channel, the input one by that of the whole output. Nothing ends the search early.

Outputs have their bias. A cosine does not see what shrinks an output as a whole, which clipped
weights do; beside a bias it sees it. (Without it MobileNetV1 comes out far worse than with the
scales that the search starts from: docs/paper.md.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tflite_eq.config import SearchSettings
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.search.candidates import coarse_factors
from tflite_eq.search.easyquant import Interval, Rows, SearchResult, Trial, initial_weight_scales

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

# Mean cosines that differ by less are the same: by rounding, which is a part of what is missing to
# 1, and where an output has one value for each sample, whose cosine is a sign.
_TIE, _RELATIVE_TIE = 1e-9, 1e-6


class CosineReader(Protocol):
    """Something that reads the activation whose scale is searched."""

    def cosine(self, params: AffineParams) -> float:
        """Mean cosine over the samples under these input parameters."""


class LayerCosines:
    """A layer at sampled positions of every sample.

    Attributes:
        filters: Float filters, output channels first, [K, ...].
        grid: The set weight codes are taken from.
    """

    def __init__(
        self,
        filters: Float,
        groups: int,
        rows: Rows,
        output: Float,
        bias: Float,
        ends: Sequence[int],
        grid: WeightGrid,
    ) -> None:
        """Compute what all candidates are compared with.

        Args:
            filters: Float filters, output channels first, [K, ...].
            groups: Filter groups.
            rows: Inputs in the quantized network at the sampled positions, sample by sample.
            output: FP32 output at the same positions without bias, [groups, rows, K / groups].
            bias: The layer's bias, [K].
            ends: Where the rows of each sample end.
            grid: The set weight codes are taken from.
        """
        self.filters = filters
        self.grid = grid
        self._groups = groups
        self._rows = rows
        self._bias = bias.reshape(groups, 1, -1)
        self._output = output + self._bias
        self._starts = [0, *ends[:-1]]
        self._energy = self._sums(self._output, self._output)

    def rows(self, params: AffineParams) -> Float:
        """Fake-quantized inputs, [groups, rows, D]."""
        return self._rows.under(params)

    def real(self, scales: Float) -> Float:
        """Real values of the filters' codes under scales [K], [groups, K / groups, D]."""
        codes = weights.quantize_filters(self.filters, scales, self.grid)
        filters = weights.dequantize_filters(codes, scales)
        return filters.reshape(self._groups, len(filters) // self._groups, -1)

    def by_channel(self, rows: Float, real: Float) -> Double:
        """Mean cosine over the samples of every output channel, [K]."""
        dot, norm = self._against(rows, real)
        return np.asarray(_cosines(dot, norm, self._energy).mean(axis=0))

    def whole(self, rows: Float, real: Float) -> float:
        """Mean cosine over the samples of the whole output."""
        sums = (part.sum(axis=1) for part in (*self._against(rows, real), self._energy))
        return float(_cosines(*sums).mean())

    def _against(self, rows: Float, real: Float) -> tuple[Double, Double]:
        made = np.matmul(rows, real.transpose(0, 2, 1))
        made += self._bias
        return self._sums(self._output, made), self._sums(made, made)

    def _sums(self, a: Float, b: Float) -> Double:
        """Inner products by sample and channel, [samples, K]."""
        products = np.multiply(a, b, dtype=np.float64)
        by_sample = np.add.reduceat(products, self._starts, axis=1)
        return np.asarray(by_sample.transpose(1, 0, 2).reshape(len(self._starts), -1))


class DecidedLayer:
    """A layer whose weights are decided, as a reader of its input."""

    def __init__(self, layer: LayerCosines, scales: Float) -> None:
        """Take the weight scales [K]."""
        self._layer = layer
        self._real = layer.real(scales)

    def cosine(self, params: AffineParams) -> float:
        """See ``CosineReader``."""
        return self._layer.whole(self._layer.rows(params), self._real)


def multiples(settings: SearchSettings) -> Double:
    """Candidates as multiples of the ``S`` of the largest magnitude, ascending."""
    return coarse_factors(settings)


def best_weight_scales(
    layer: LayerCosines,
    params: AffineParams,
    present: Float,
    settings: SearchSettings,
    per_tensor: bool,
) -> tuple[Float, tuple[Trial, ...]]:
    """Weight scales with the best mean cosines for a given input.

    Args:
        layer: The layer.
        params: Scale and zero point of its input.
        present: Its scales so far, [K].
        settings: The interval and its steps.
        per_tensor: Whether one multiple serves all filters, by the whole output.

    Returns:
        Scales [K], and what was tried for all channels at once: factors of the scale, and means of
        1 - cosine over channels.
    """
    initial = initial_weight_scales(layer.filters, layer.grid, per_tensor)
    rows = layer.rows(params)

    def cosines(scales: Float) -> Double:
        real = layer.real(scales)
        if per_tensor:
            return np.full(len(scales), layer.whole(rows, real))
        return layer.by_channel(rows, real)

    chosen, best = present.copy(), cosines(present)
    trials = []
    for multiple in multiples(settings).tolist():
        scales = (initial / multiple).astype(np.float32)
        found = cosines(scales)
        better = found > _above(best)
        chosen[better], best[better] = scales[better], found[better]
        trials.append(Trial(1 / multiple, float(1 - found.mean())))
    return chosen, tuple(reversed(trials))


def best_activation(
    readers: Sequence[CosineReader],
    origin: Interval,
    present: float,
    params_of: Callable[[Interval], AffineParams],
    settings: SearchSettings,
    may_clip: bool = True,
) -> tuple[float, SearchResult]:
    """The multiple of ``S`` with the best cosine, the mean over what reads the activation.

    Args:
        readers: What reads it, with its weights decided.
        origin: Interval from the largest magnitude.
        present: The multiple so far.
        params_of: Scale and zero point for an interval.
        settings: The interval of multiples and its steps.
        may_clip: Whether an interval smaller than the initial one may be chosen.

    Returns:
        The multiple; interval and what was tried, losses being 1 - cosine.
    """

    def cosine(multiple: float) -> float:
        params = params_of(_divided(origin, multiple))
        return sum(reader.cosine(params) for reader in readers) / len(readers)

    chosen, best = present, cosine(present)
    before = best
    trials = []
    for multiple in multiples(settings).tolist():
        if multiple > 1 and not may_clip:
            break
        found = cosine(multiple)
        if found > _above(best):
            chosen, best = multiple, found
        trials.append(Trial(1 / multiple, 1 - found))
    result = SearchResult(
        _divided(origin, chosen), "minmax", 1 / chosen, 1 - before, 1 - best, tuple(trials)
    )
    return chosen, result


def _above(best: Any) -> Any:
    """What a mean cosine has to exceed to be better."""
    return best + np.maximum(_TIE, _RELATIVE_TIE * (1 - best))


def _divided(interval: Interval, multiple: float) -> Interval:
    return interval[0] / multiple, interval[1] / multiple


def _cosines(dot: Double, norm: Double, energy: Double) -> Double:
    """Cosines from sums; 1 between two outputs of zeros, 0 where only one is."""
    tiny = np.finfo(np.float64).tiny
    found = dot / np.sqrt(np.maximum(norm, tiny)) / np.sqrt(np.maximum(energy, tiny))
    return np.asarray(np.where((norm == 0) & (energy == 0), 1.0, found))
