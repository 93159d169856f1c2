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
from tflite_eq.numerics.affine import AffineParams, ends_of, fake_quantize
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.search.candidates import best_factors
from tflite_eq.search.objective import Criterion, QuantizedInput, Reference, output_total
from tflite_eq.search.sample_weights import Samples

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Interval = tuple[float, float]

# Of layers with so many weights, candidates are compared by estimates first.
_MANY_WEIGHTS = 1 << 14


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

    def __init__(
        self,
        values: Float,
        exact: Float,
        criterion: Criterion,
        share: int = 4,
        samples: Samples | None = None,
    ) -> None:
        """Compare quantized values with the FP32 ones.

        Args:
            values: Sampled values before quantization, [n].
            exact: FP32 values at the same positions, [n].
            criterion: What candidates are compared by.
            share: One of how many values a quick look takes.
            samples: Whose the values are, see ``Reference``.
        """
        few = samples and samples.every(share)
        self._all = (
            values.reshape(1, -1, 1),
            Reference(exact.reshape(1, -1, 1), criterion, samples),
        )
        self._few = (
            values[::share].reshape(1, -1, 1),
            Reference(exact[::share].reshape(1, -1, 1), criterion, few),
        )
        self.few = self._few[0].shape[1]
        self._ends = ends_of(values)
        self._identity = np.ones((1, 1, 1), np.float32)

    def total(self, params: AffineParams) -> float:
        """See ``Reader``."""
        return self._loss(*self._all, params)

    def quick_total(self, params: AffineParams) -> float:
        """See ``Reader``."""
        return self._loss(*self._few, params)

    def _loss(self, values: Float, reference: Reference, params: AffineParams) -> float:
        rounded = fake_quantize(values, params, ends=self._ends)
        return output_total(rounded, self._identity, reference)

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

    def __init__(self, values: Float, shifts: Float | None = None) -> None:
        """Take values before quantization, [groups, rows, D].

        Args:
            values: The values.
            shifts: Steps that are added to them before they are rounded, [groups, 1, D].
        """
        self._values = {1: values}
        self._ends = ends_of(values)
        self._shifts = shifts

    def under(self, params: AffineParams, share: int = 1) -> Float:
        """See ``Rows``."""
        if share not in self._values:  # copied once: values with gaps take twice as long each time
            self._values[share] = np.ascontiguousarray(self._values[1][:, ::share])
        return fake_quantize(self._values[share], params, self._shifts, self._ends)


class LayerReader:
    """One linear layer that reads the activation whose scale is searched.

    Attributes:
        few: Number of rows that a quick look takes.
        scales: Best weight scales so far, [K].
        codes: Weight codes under these scales, [K, ...].
        trials: Loss of the whole layer where all channels took the same multiple of their initial
            scales, of the last search that looked at the whole interval; estimates where these
            chose the candidates.
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
        samples: Samples | None = None,
        copies: npt.NDArray[np.int64] | None = None,
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
            samples: Whose the rows are, see ``Reference``.
            copies: Which copies of input channels the filters read, see ``quantize_filters``.
        """
        self._rows = rows
        self._copies = copies
        self._share = share
        self._reference = Reference(output, criterion, samples)
        self._count = output.shape[1]
        self.few = -(-self._count // share)
        self._few_reference = Reference(
            np.ascontiguousarray(output[:, ::share]), criterion, samples and samples.every(share)
        )
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
        self.codes = self._rounded(scales)
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
            codes = self._rounded(scales)
            candidate = self._dequantized(codes, scales)
            if self._per_tensor:
                return np.full(len(scales), judge.total(candidate))
            return judge.losses(candidate)

        def estimates(scales: Float) -> Double:
            codes = self._rounded(scales)
            return judge.estimates(self._dequantized(codes, scales))

        def scales_of(factors: Double) -> Float:
            return (self._initial * factors).astype(np.float32)

        trials: list[Trial] = []
        is_screened = self._is_screened(settings)
        factors = best_factors(
            self.scales / self._initial.astype(np.float64),
            lambda factors: losses(scales_of(factors)),
            settings,
            rows=self._count,
            from_scratch=from_scratch,
            estimates=(lambda factors: estimates(scales_of(factors))) if is_screened else None,
            look=lambda factor, found: trials.append(Trial(factor, self._reference.mean(found))),
        )
        if from_scratch:
            self.trials = tuple(sorted(trials, key=lambda trial: trial.factor))
        chosen = scales_of(factors)
        if np.array_equal(chosen, self.scales):
            return False
        present = self.scales
        total = judge.total(self._real) if self._losses_may_clash else 0.0
        self.use(chosen)
        if self._losses_may_clash and judge.total(self._real) >= total:
            self.use(present)
            return False
        return True

    def _is_screened(self, settings: SearchSettings) -> bool:
        """Whether estimates choose the candidates whose errors are computed."""
        return (
            settings.coarse > 1
            and not self._per_tensor
            and not self._losses_may_clash
            and self._filters.size >= _MANY_WEIGHTS
        )

    def _rounded(self, scales: Float) -> npt.NDArray[np.int8]:
        return weights.quantize_filters(self._filters, scales, self._grid, self._copies)

    def _dequantized(self, codes: npt.NDArray[np.int8], scales: Float) -> Float:
        return self._grouped(weights.dequantize_filters(codes, scales))

    def _grouped(self, filters: Float) -> Float:
        return filters.reshape(self._groups, len(filters) // self._groups, -1)


def initial_weight_scales(filters: Float, grid: WeightGrid, per_tensor: bool) -> Float:
    """Weight scales [K] that clip nothing; equal for all channels if ``per_tensor``."""
    scales = weights.max_scales(filters, grid)
    return np.full_like(scales, scales.max()) if per_tensor else scales


@dataclasses.dataclass(frozen=True)
class SearchResult:
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
) -> SearchResult:
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

        def losses(factors: Double, number: int = round_number) -> Double:
            candidate = float(factors[0])
            if candidate < 1.0 and not may_clip:
                return np.full(1, np.inf)
            trials.append(Trial(candidate, quick_total(_scaled(origin, candidate)), number))
            return np.full(1, trials[-1].loss)

        [factor] = best_factors(
            np.full(1, factor),
            losses,
            settings,
            rows=min(reader.few for reader in readers),
            from_scratch=round_number == 0,
        ).tolist()
        if factor == previous:
            break
    after = total(_scaled(origin, factor))
    if after > before:  # few rows can mislead
        for reader in readers:
            reader.reset()
        return SearchResult(starts[first], first, 1.0, before, before, tuple(trials))
    return SearchResult(_scaled(origin, factor), start, factor, before, after, tuple(trials))


def _scaled(interval: Interval, factor: float) -> Interval:
    return interval[0] * factor, interval[1] * factor
