"""Reconstruction of one layer: refit its filters, rescale them, round them together.

A channel keeps what the scale search gave it unless the reconstructed codes have a lower error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Reconstruction, SearchSettings
from tflite_eq.numerics import weights
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.reconstruction.moments import Double, Moments
from tflite_eq.reconstruction.refit import choose_ridge, ridge_change
from tflite_eq.reconstruction.rounding import (
    Float,
    Grid,
    IntegerGrid,
    TripletLattice,
    round_compensated,
    rounding_error,
)
from tflite_eq.record.filters import QuantizedFilters
from tflite_eq.search.candidates import best_factors
from tflite_eq.search.easyquant import initial_weight_scales

# Least damping of H in units of its mean diagonal; see ``_damping``.
_DAMPING = 0.01

_SMALLEST_SIGNAL = 1e-30


@dataclasses.dataclass(frozen=True)
class Settings:
    """What reconstruction may change.

    Attributes:
        reconstruction: Rounding only, or refit as well.
        centred: Whether a bias correction follows, so that channel means do not count.
        per_tensor: Whether all channels have one scale.
        search: Candidates for scales of the refitted filters; ``None`` keeps the scales.
        smallest_scales: Scales below which biases would leave their range, [K].
        copies: Which copies of input channels the filters read, see ``quantize_filters``.
    """

    reconstruction: Reconstruction
    centred: bool
    per_tensor: bool
    search: SearchSettings | None
    smallest_scales: Float
    copies: npt.NDArray[np.int64] | None = None


@dataclasses.dataclass(frozen=True)
class Reconstructed:
    """Outcome for one layer.

    Attributes:
        filters: The filters.
        ridge: Ridge of the refit in units of the mean diagonal of H; ``None`` if there was none.
        noise_before: Noise to signal ratio of the output with the filters it started from.
        noise_after: The same with ``filters``.
    """

    filters: QuantizedFilters
    ridge: float | None
    noise_before: float
    noise_after: float

    def as_dict(self) -> dict[str, Any]:
        """Plain figures for the calibration record."""
        return {
            "ridge": self.ridge,
            "noise_before": self.noise_before,
            "noise_after": self.noise_after,
        }


def reconstruct(
    filters: Float, start: QuantizedFilters, folds: Sequence[Moments], settings: Settings
) -> Reconstructed:
    """Better codes for one layer.

    Args:
        filters: Float filters, [K, ...].
        start: What the scale search found.
        folds: Moments over disjoint sets of calibration samples; they are used up.
        settings: What may be changed.
    """
    groups = folds[0].groups
    shape = (groups, len(filters) // groups, folds[0].depth)
    original: Double = filters.reshape(shape).astype(np.float64)
    ridge = None
    if settings.reconstruction is Reconstruction.REFIT:
        ridge = choose_ridge([f.error_around(original, settings.centred) for f in folds])
    whole = folds[0]
    for fold in folds[1:]:
        whole.merge(fold)
    error = whole.error_around(original, settings.centred)
    target = original if ridge is None else original + ridge_change(error, ridge)
    problem = _Rounding(target, error.damped(_damping(whole)), filters.shape)
    scales = start.scales if settings.search is None else _rescaled(problem, start, settings)
    found = QuantizedFilters(problem.rounded(scales, start.grid), scales, start.grid)

    def noise(of: QuantizedFilters) -> Double:
        real = weights.dequantize_filters(of.codes, of.scales).reshape(shape)
        return np.asarray(error.at(real - original).ravel())

    # Without a refit the FP32 output itself is the measure, as it is in the scale search. With one
    # it would favour what fits the calibration samples best; the refit's target has been checked
    # against that.
    if settings.reconstruction is Reconstruction.ROUNDING:
        better = noise(found) < noise(start)
    else:
        better = problem.errors(found) < problem.errors(start)
    if settings.per_tensor:
        better[:] = noise(found).sum() < noise(start).sum()
    best = _best_of_both(start, found, better)
    signal = max(float(error.signal.sum()), _SMALLEST_SIGNAL)
    return Reconstructed(
        best, ridge, float(noise(start).sum()) / signal, float(noise(best).sum()) / signal
    )


def _damping(moments: Moments) -> float:
    """What H needs on its diagonal, in units of its mean, to stand for rows it was not made of.

    Rounding uses directions without energy to take up the errors of others. With n rows of D inputs
    the energies are uncertain by about D / n, and directions that n rows happen not to excite look
    empty. Measured on held-back samples, this is as good as any fixed damping where rows abound,
    and better where they are few.
    """
    return _DAMPING + moments.depth / max(moments.count, 1)


class _Rounding:
    """The problem of rounding target filters under a metric."""

    def __init__(self, target: Double, metric: Double, shape: tuple[int, ...]) -> None:
        """Round ``target`` [groups, K / groups, D] so that errors e have a small e^T metric e.

        Args:
            target: Real filters.
            metric: Positive definite, [groups, D, D].
            shape: [K, ...], what ``target`` is a reshaped form of.
        """
        self._shape = shape
        self.target = target.astype(np.float32)
        unit = np.einsum("gdd->g", metric) / metric.shape[1]
        self._unit = np.where(unit > 0, unit, 1.0)
        self._metric = (metric / self._unit[:, None, None]).astype(np.float32)

    def filters(self) -> Float:
        """The target as [K, ...]."""
        return self.target.reshape(self._shape)

    def errors(self, filters: QuantizedFilters) -> Double:
        """Damped output error of each channel against the target, [K]."""
        real = weights.dequantize_filters(filters.codes, filters.scales)
        errors = rounding_error(real.reshape(self.target.shape), self.target, self._metric)
        return np.asarray((errors * self._unit[:, None]).ravel())

    def rounded(self, scales: Float, grid: WeightGrid) -> npt.NDArray[np.int8]:
        """Codes [K, ...] whose errors cancel in the output."""
        divisors = scales.reshape(*self.target.shape[:2], 1)
        order = _column_order(self._shape, grid)
        metric = self._metric if order is None else self._metric[:, order][:, :, order]
        targets = self.target / divisors
        if order is None:
            codes = round_compensated(targets, metric, _grid(grid))
        else:
            codes = np.empty_like(targets)
            codes[..., order] = round_compensated(targets[..., order], metric, _grid(grid))
        return codes.astype(np.int8).reshape(self._shape)


def _grid(grid: WeightGrid) -> Grid:
    if grid is WeightGrid.EVEN_TRIPLETS:
        return TripletLattice(grid.limit)
    return IntegerGrid(grid.limit)


def _column_order(shape: tuple[int, ...], grid: WeightGrid) -> npt.NDArray[np.intp] | None:
    """Columns in an order that makes the taps of each triplet neighbours, if there are any."""
    if grid is not WeightGrid.EVEN_TRIPLETS:
        return None
    _, height, width, channels = shape
    columns = np.arange(height * width * channels).reshape(height, width, channels)
    return np.ascontiguousarray(columns.transpose(0, 2, 1)).ravel()


def _rescaled(problem: _Rounding, start: QuantizedFilters, settings: Settings) -> Float:
    """Scales [K] under which nearest codes of the target have the least output error.

    The same candidates as in the EasyQuant search, around the scales that clip nothing.
    """
    assert settings.search is not None
    filters = problem.filters()
    initial = initial_weight_scales(filters, start.grid, settings.per_tensor)

    def losses(scales: Float) -> Double:
        codes = weights.quantize_filters(filters, scales, start.grid, settings.copies)
        found = problem.errors(QuantizedFilters(codes, scales, start.grid))
        return np.full_like(found, found.sum()) if settings.per_tensor else found

    def scales_of(factors: Double) -> Float:
        scales = np.maximum((initial * factors).astype(np.float32), settings.smallest_scales)
        return np.full_like(scales, scales.max()) if settings.per_tensor else scales

    present = start.scales / initial.astype(np.float64)
    factors = best_factors(
        present, lambda factors: losses(scales_of(factors)), settings.search, tolerance=0.0
    )
    return scales_of(factors)


def _best_of_both(
    start: QuantizedFilters, found: QuantizedFilters, better: npt.NDArray[np.bool_]
) -> QuantizedFilters:
    """The channels of ``found`` where it is better [K], and those of ``start`` elsewhere."""
    codes = start.codes.copy()
    codes[better] = found.codes[better]
    return QuantizedFilters(codes, np.where(better, found.scales, start.scales), start.grid)
