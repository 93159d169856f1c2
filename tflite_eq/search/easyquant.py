"""EasyQuant: alternating search of weight and activation scales (arXiv 2006.16669, section 3).

One search decides the scale of one activation tensor together with the weight scales of the
linear layers that read it. Unlike the authors' released code, the initial scales are always
candidates and a step is taken only when it lowers the loss, so the result is never worse than
where it started.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Objective, SearchSettings
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.search.objective import Criterion, QuantizedInput, Reference, output_total
from tflite_eq.targets import WeightGrid

Float = npt.NDArray[np.float32]
Interval = tuple[float, float]

# Losses closer than this (relative) are rounding noise of the sums, not an improvement.
_TOLERANCE = 1e-6

# Candidates whose losses are so many times the least one are far from the best scale, if losses are
# those of so many rows; of fewer they go up and down.
_HOPELESS = 1.5
_SMOOTH_ROWS = 256


@dataclasses.dataclass(frozen=True)
class Trial:
    """One candidate that the search looked at.

    Attributes:
        factor: Scale as a multiple of the initial one.
        loss: What the search compares by: noise to signal ratio, or 1 - cosine.
        round: Alternation it belongs to, from 0.
    """

    factor: float
    loss: float
    round: int = 0


class Reader(Protocol):
    """Something that reads the activation whose scale is searched.

    Attributes:
        few: Number of rows that a quick look takes.
    """

    few: int

    def total(self, params: AffineParams) -> float:
        """Loss under input parameters, over all sampled values; without unit."""

    def quick_total(self, params: AffineParams) -> float:
        """The same over few of them."""

    def search_weights(
        self, params: AffineParams, settings: SearchSettings, from_scratch: bool = True
    ) -> bool:
        """Improve the reader's own scales for fixed input parameters; whether any changed."""

    def reset(self) -> None:
        """Return to the scales the reader started with."""


class ValueReader:
    """An operator without weights: it passes on the error of the values themselves."""

    def __init__(self, values: Float, exact: Float, criterion: Criterion, share: int = 4) -> None:
        """Compare quantized values with the FP32 ones.

        Args:
            values: Sampled values before quantization, [n].
            exact: FP32 values at the same positions, [n].
            criterion: What candidates are compared by.
            share: One of how many values a quick look takes.
        """
        self._all = (values.reshape(1, -1, 1), Reference(exact.reshape(1, -1, 1), criterion))
        self._few = (
            values[::share].reshape(1, -1, 1),
            Reference(exact[::share].reshape(1, -1, 1), criterion),
        )
        self.few = self._few[0].shape[1]
        self._identity = np.ones((1, 1, 1), np.float32)

    def total(self, params: AffineParams) -> float:
        """See ``Reader``."""
        return output_total(fake_quantize(self._all[0], params), self._identity, self._all[1])

    def quick_total(self, params: AffineParams) -> float:
        """See ``Reader``."""
        return output_total(fake_quantize(self._few[0], params), self._identity, self._few[1])

    def search_weights(
        self, params: AffineParams, settings: SearchSettings, from_scratch: bool = True
    ) -> bool:
        """There are no weights."""
        return False

    def reset(self) -> None:
        """There is nothing to reset."""


class Rows(Protocol):
    """Inputs of a layer at sampled output positions."""

    def under(self, params: AffineParams, share: int = 1) -> Float:
        """Fake-quantized inputs of every ``share``-th position, [groups, rows, D]."""


class SampledRows:
    """Rows of values that are quantized as they are."""

    def __init__(self, values: Float) -> None:
        """Take values before quantization, [groups, rows, D]."""
        self._values = values

    def under(self, params: AffineParams, share: int = 1) -> Float:
        """See ``Rows``."""
        return fake_quantize(self._values[:, ::share], params)


class LayerReader:
    """One linear layer that reads the activation whose scale is searched.

    Attributes:
        few: Number of rows that a quick look takes.
        scales: Best weight scales so far, [K].
        codes: Weight codes under these scales, [K, ...].
        trials: Loss of the whole layer where all channels took the same multiple of their initial
            scales, of the last search that looked at the whole interval.
    """

    def __init__(
        self,
        filters: Float,
        groups: int,
        rows: Rows,
        output: Float,
        grid: WeightGrid,
        criterion: Criterion,
        per_tensor: bool = False,
        share: int = 4,
    ) -> None:
        """Start from the scales that clip nothing.

        Args:
            filters: Float filters, output channels first, [K, ...].
            groups: Filter groups.
            rows: Inputs at the sampled positions.
            output: FP32 output at the same positions without bias, [groups, rows, K / groups].
            grid: The set weight codes are taken from.
            criterion: What candidates are compared by.
            per_tensor: Use one scale for all output channels.
            share: One of how many rows the activation scale is judged on.
        """
        self._rows = rows
        self._share = share
        self._reference = Reference(output, criterion)
        self._count = output.shape[1]
        self.few = -(-self._count // share)
        self._few_reference = Reference(np.ascontiguousarray(output[:, ::share]), criterion)
        self._filters = filters
        self._groups = groups
        self._grid = grid
        self._per_tensor = per_tensor
        # Errors add up over channels, but better cosines do not imply a better cosine of the whole.
        self._losses_may_clash = criterion.objective is Objective.COSINE
        self._initial = initial_weight_scales(filters, grid, per_tensor)
        self.trials: tuple[Trial, ...] = ()
        self.use(self._initial)

    def reset(self) -> None:
        """Return to the scales that clip nothing."""
        self.use(self._initial)

    def use(self, scales: Float) -> None:
        """Take these weight scales as the present ones."""
        self.scales = scales
        self.codes = weights.quantize_filters(self._filters, scales, self._grid)
        self._real = self._dequantized(self.codes, scales)

    def total(self, params: AffineParams) -> float:
        """Loss of the layer under input parameters and the present weights, over all rows."""
        return output_total(self._rows.under(params), self._real, self._reference)

    def quick_total(self, params: AffineParams) -> float:
        """The same over few rows."""
        rows = self._rows.under(params, self._share)
        return output_total(rows, self._real, self._few_reference)

    def search_weights(
        self, params: AffineParams, settings: SearchSettings, from_scratch: bool = True
    ) -> bool:
        """Improve the weight scales for fixed input parameters; whether any changed.

        Args:
            params: Scale and zero point of the input.
            settings: Effort of the search.
            from_scratch: Look at the whole interval first; otherwise only near present scales.
        """
        judge = QuantizedInput(
            self._rows.under(params), self._grouped(self._filters), self._reference
        )

        def losses(scales: Float) -> npt.NDArray[np.float64]:
            codes = weights.quantize_filters(self._filters, scales, self._grid)
            candidate = self._dequantized(codes, scales)
            if self._per_tensor:
                return np.full(len(scales), judge.total(candidate))
            return judge.losses(candidate)

        best = losses(self.scales)
        chosen = self.scales.copy()
        position = self.scales / self._initial.astype(np.float64)

        def consider(
            factors: npt.NDArray[np.float64],
        ) -> tuple[npt.NDArray[np.float64], float]:
            candidate = (self._initial * factors).astype(np.float32)
            found = losses(candidate)
            better = found < best * (1 - _TOLERANCE)
            best[better] = found[better]
            chosen[better] = candidate[better]
            position[better] = factors[better]
            return found, self._reference.mean(found)

        if from_scratch:
            trials = []
            for side in outward(coarse_factors(settings), 1.0):
                patience = _Patience(settings, self._count)
                for factor in side:
                    found, mean = consider(np.full(len(chosen), factor))
                    trials.append(Trial(float(factor), mean))
                    if patience.ends(bool((found > _HOPELESS * best).all())):
                        break
            self.trials = tuple(sorted(trials, key=lambda trial: trial.factor))
        centre = position.copy()
        for offset in fine_offsets(settings):
            consider(np.clip(centre + offset, settings.low, settings.high))
        if np.array_equal(chosen, self.scales):
            return False
        present = self.scales
        total = judge.total(self._real) if self._losses_may_clash else 0.0
        self.use(chosen)
        if self._losses_may_clash and judge.total(self._real) >= total:
            self.use(present)
            return False
        return True

    def _dequantized(self, codes: npt.NDArray[np.int8], scales: Float) -> Float:
        return self._grouped(weights.dequantize_filters(codes, scales))

    def _grouped(self, filters: Float) -> Float:
        return filters.reshape(self._groups, len(filters) // self._groups, -1)


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
        loss_before: Loss at the first initial interval with unclipped weights.
        loss_after: Loss of the result; never above ``loss_before``.
        trials: Activation scales looked at, in that order; losses are those over few rows.
    """

    interval: Interval
    start: str
    factor: float = 1.0
    loss_before: float = 0.0
    loss_after: float = 0.0
    trials: tuple[Trial, ...] = ()


def search_scales(
    readers: Sequence[Reader],
    starts: dict[str, Interval],
    params_of: Callable[[Interval], AffineParams],
    settings: SearchSettings,
    may_clip: bool = True,
) -> Found:
    """Alternate between weight and activation scales until neither improves.

    Args:
        readers: What reads the activation; weights of layers are improved in place.
        starts: Named initial intervals; the first is the one ``loss_before`` reports.
        params_of: Scale and zero point for an interval.
        settings: Effort of the search.
        may_clip: Whether an interval smaller than the initial one may be chosen.
    """

    def total(interval: Interval) -> float:
        params = params_of(interval)
        return sum(reader.total(params) for reader in readers) / len(readers)

    def quick_total(interval: Interval) -> float:
        params = params_of(interval)
        return sum(reader.quick_total(params) for reader in readers) / len(readers)

    first = next(iter(starts))
    before = total(starts[first])
    quick = {name: quick_total(interval) for name, interval in starts.items()}
    start = min(quick, key=lambda name: quick[name])
    origin = starts[start]
    factor = 1.0
    trials: list[Trial] = []
    for round_number in range(settings.max_rounds):
        params = params_of(_scaled(origin, factor))
        changed = [
            reader.search_weights(params, settings, from_scratch=round_number == 0)
            for reader in readers
        ]
        if round_number and not any(changed):
            break
        previous = factor

        def loss_of(candidate: float, number: int = round_number) -> float:
            trials.append(Trial(candidate, quick_total(_scaled(origin, candidate)), number))
            return trials[-1].loss

        factor = _search_factor(
            loss_of,
            factor,
            settings,
            from_scratch=round_number == 0,
            may_clip=may_clip,
            rows=min(reader.few for reader in readers),
        )
        if factor == previous:
            break
    after = total(_scaled(origin, factor))
    if after > before:  # few rows can mislead
        for reader in readers:
            reader.reset()
        return Found(starts[first], first, 1.0, before, before, tuple(trials))
    return Found(_scaled(origin, factor), start, factor, before, after, tuple(trials))


def _search_factor(
    loss_of: Callable[[float], float],
    present: float,
    settings: SearchSettings,
    from_scratch: bool,
    may_clip: bool,
    rows: int,
) -> float:
    """The best multiple of the initial activation scale; ``present`` unless another is better."""
    best, factor = loss_of(present), present

    def consider(candidates: npt.NDArray[np.float64], patience: _Patience | None) -> None:
        nonlocal best, factor
        for candidate in np.clip(candidates, settings.low, settings.high).tolist():
            if candidate < 1.0 and not may_clip:
                continue
            loss = loss_of(candidate)
            if loss < best * (1 - _TOLERANCE):
                best, factor = loss, candidate
            if patience is not None and patience.ends(loss > _HOPELESS * best):
                return

    if from_scratch:
        for side in outward(coarse_factors(settings), present):
            consider(side, _Patience(settings, rows))
    consider(factor + fine_offsets(settings), None)
    return factor


class _Patience:
    """When candidates on one side are not looked at any further.

    Losses rise on either side of the best scale: below it by what is clipped, above it by coarser
    steps. Two candidates in a row that are far from the best end a side, unless every step is to be
    tried.
    """

    def __init__(self, settings: SearchSettings, rows: int) -> None:
        self._left = 2
        self._is_endless = settings.coarse == 1 or rows < _SMOOTH_ROWS

    def ends(self, is_hopeless: bool) -> bool:
        """Take the next candidate into account."""
        self._left = self._left - 1 if is_hopeless else 2
        return self._left == 0 and not self._is_endless


def outward(
    factors: npt.NDArray[np.float64], centre: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Candidates below and from a scale on, each from the nearest to the farthest."""
    return factors[factors < centre][::-1], factors[factors >= centre]


def coarse_factors(settings: SearchSettings) -> npt.NDArray[np.float64]:
    """First look: every ``coarse``-th of the steps that cut [low, high], both ends included."""
    grid = np.linspace(settings.low, settings.high, settings.steps + 1)
    factors: npt.NDArray[np.float64] = np.unique(np.append(grid[:: settings.coarse], grid[-1]))
    return factors


def fine_offsets(settings: SearchSettings) -> npt.NDArray[np.float64]:
    """Second look: single steps to either side of the best candidate so far."""
    step = (settings.high - settings.low) / settings.steps
    reach = np.arange(1, max(2, settings.coarse))
    offsets: npt.NDArray[np.float64] = np.concatenate([-reach[::-1], reach]) * step
    return offsets


def _scaled(interval: Interval, factor: float) -> Interval:
    return interval[0] * factor, interval[1] * factor
