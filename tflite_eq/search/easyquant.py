"""EasyQuant: alternating search of weight and activation scales (arXiv 2006.16669, section 3).

One search decides the scale of one activation tensor together with the weight scales of the
linear layers that read it. Unlike the authors' released code, the initial scales are always
candidates and a step is taken only when it lowers the loss, so the result is never worse than
where it started.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.config import SearchSettings
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.search.objective import QuantizedInput, Reference, output_total
from tflite_eq.targets import WeightGrid

Float = npt.NDArray[np.float32]
Interval = tuple[float, float]

# Losses closer than this (relative) are rounding noise of the sums, not an improvement.
_TOLERANCE = 1e-6


class Reader:
    """One linear layer that reads the activation whose scale is searched.

    Attributes:
        scales: Best weight scales so far, [K].
        codes: Weight codes under these scales, [K, ...].
    """

    def __init__(
        self,
        filters: Float,
        groups: int,
        rows: Float,
        reference: Reference,
        grid: WeightGrid,
        per_tensor: bool,
    ) -> None:
        """Start from the scales that clip nothing.

        Args:
            filters: Float filters, output channels first, [K, ...].
            groups: Filter groups.
            rows: Inputs before quantization at the sampled positions, [groups, rows, D].
            reference: FP32 output at the same positions.
            grid: The set weight codes are taken from.
            per_tensor: Use one scale for all output channels.
        """
        self.rows = rows
        self.reference = reference
        self._filters = filters
        self._groups = groups
        self._grid = grid
        self._per_tensor = per_tensor
        self._initial = initial_weight_scales(filters, grid, per_tensor)
        self.scales = self._initial
        self.codes = weights.quantize_filters(filters, self.scales, grid)

    def total(self, params: AffineParams) -> float:
        """Loss of the layer under input parameters and the present weights."""
        return output_total(
            fake_quantize(self.rows, params), self._grouped(self.codes, self.scales), self.reference
        )

    def search_weights(self, params: AffineParams, settings: SearchSettings) -> bool:
        """Improve the weight scales for fixed input parameters; whether any changed."""
        judge = QuantizedInput(
            fake_quantize(self.rows, params),
            self._filters.reshape(self._groups, len(self._filters) // self._groups, -1),
            self.reference,
        )

        def losses(scales: Float) -> npt.NDArray[np.float64]:
            codes = weights.quantize_filters(self._filters, scales, self._grid)
            grouped = self._grouped(codes, scales)
            if self._per_tensor:
                return np.full(len(scales), judge.total(grouped))
            return judge.losses(grouped)

        start = losses(self.scales)
        best = start.copy()
        chosen = self.scales.copy()

        def consider(factors: npt.NDArray[np.float64]) -> None:
            candidate = (self._initial * factors).astype(np.float32)
            found = losses(candidate)
            better = found < best * (1 - _TOLERANCE)
            best[better] = found[better]
            chosen[better] = candidate[better]
            position[better] = factors[better]

        def improves(scales: Float) -> bool:
            # Better per-channel cosines do not imply a better cosine of the whole output.
            codes = weights.quantize_filters(self._filters, scales, self._grid)
            present = judge.total(self._grouped(self.codes, self.scales))
            return judge.total(self._grouped(codes, scales)) < present

        position = self.scales / self._initial.astype(np.float64)
        for factor in coarse_factors(settings):
            consider(np.full(len(chosen), factor))
        centre = position.copy()
        for offset in fine_offsets(settings):
            consider(np.clip(centre + offset, settings.low, settings.high))
        if np.array_equal(chosen, self.scales) or not improves(chosen):
            return False
        self.scales = chosen
        self.codes = weights.quantize_filters(self._filters, chosen, self._grid)
        return True

    def _grouped(self, codes: npt.NDArray[np.int8], scales: Float) -> Float:
        real = weights.dequantize_filters(codes, scales)
        return real.reshape(self._groups, len(real) // self._groups, -1)


def initial_weight_scales(filters: Float, grid: WeightGrid, per_tensor: bool) -> Float:
    """Weight scales [K] that clip nothing; equal for all channels if ``per_tensor``."""
    scales = weights.max_scales(filters, grid)
    return np.full_like(scales, scales.max()) if per_tensor else scales


@dataclasses.dataclass(frozen=True)
class Found:
    """Outcome of a search.

    Attributes:
        interval: Real interval whose parameters are best.
        start: Name of the initial interval the search went on from.
        factor: Chosen scale as a multiple of that initial scale.
        loss_before: Loss at the initial interval with unclipped weights.
        loss_after: Loss of the result; never above ``loss_before``.
        curve: Activation factors tried in the last round with their losses.
    """

    interval: Interval
    start: str
    factor: float
    loss_before: float
    loss_after: float
    curve: list[tuple[float, float]]


def search_scales(
    readers: Sequence[Reader],
    starts: dict[str, Interval],
    params_of: Callable[[Interval], AffineParams],
    settings: SearchSettings,
    may_clip: bool = True,
) -> Found:
    """Alternate between weight and activation scales until neither improves.

    Args:
        readers: The layers that read the activation; their weights are improved in place.
        starts: Named initial intervals; the first is the one ``loss_before`` reports.
        params_of: Scale and zero point for an interval.
        settings: Effort of the search.
        may_clip: Whether an interval smaller than the initial one may be chosen.
    """

    def total(interval: Interval) -> float:
        params = params_of(interval)
        return sum(reader.total(params) for reader in readers) / len(readers)

    initial_losses = {name: total(interval) for name, interval in starts.items()}
    before = next(iter(initial_losses.values()))
    start = min(initial_losses, key=lambda name: initial_losses[name])
    origin = starts[start]
    best, factor = initial_losses[start], 1.0
    curve: list[tuple[float, float]] = []
    for _ in range(settings.max_rounds):
        params = params_of(_scaled(origin, factor))
        changed = [reader.search_weights(params, settings) for reader in readers]
        if any(changed):
            best = total(_scaled(origin, factor))
        elif curve:
            break
        curve = [(factor, best)]
        previous = factor
        for candidates in (coarse_factors(settings), fine_offsets(settings)):
            centre = factor if candidates[0] < 0 else 0.0
            for candidate in np.clip(candidates + centre, settings.low, settings.high).tolist():
                if candidate < 1.0 and not may_clip:
                    continue
                loss = total(_scaled(origin, candidate))
                curve.append((candidate, loss))
                if loss < best * (1 - _TOLERANCE):
                    best, factor = loss, candidate
        if factor == previous:
            break
    return Found(_scaled(origin, factor), start, factor, before, best, sorted(set(curve)))


def coarse_factors(settings: SearchSettings) -> npt.NDArray[np.float64]:
    """First look: every ``coarse``-th of the steps that cut [low, high], both ends included."""
    grid = np.linspace(settings.low, settings.high, settings.steps + 1)
    factors: npt.NDArray[np.float64] = np.unique(np.append(grid[:: settings.coarse], grid[-1]))
    return factors


def fine_offsets(settings: SearchSettings) -> npt.NDArray[np.float64]:
    """Second look: single steps to either side of the best coarse candidate."""
    step = (settings.high - settings.low) / settings.steps
    reach = np.arange(1, max(2, settings.coarse))
    offsets: npt.NDArray[np.float64] = np.concatenate([-reach[::-1], reach]) * step
    return offsets


def _scaled(interval: Interval, factor: float) -> Interval:
    return interval[0] * factor, interval[1] * factor
