"""Candidates for scales: multiples of an initial one, coarse steps, then those around the best.

The one loop that every scale is searched by: of activations, of weights, and of weights that
reconstruction has changed. (Algorithm 1 of the paper has one of its own.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.config import SearchSettings

Double = npt.NDArray[np.float64]

# Losses closer than this (relative) are rounding noise of the sums, not an improvement.
TOLERANCE = 1e-6

# Candidates whose losses are so many times the least one are far from the best scale, if losses are
# those of so many rows; of fewer they go up and down.
_HOPELESS = 1.5
_SMOOTH_ROWS = 256

# Factors of the first look and of the second whose losses are computed where there are estimates.
_EXACT_COARSE = 3
_EXACT_FINE = 3


def best_factors(
    present: Double,
    losses: Callable[[Double], Double],
    settings: SearchSettings,
    *,
    rows: int = 0,
    from_scratch: bool = True,
    tolerance: float = TOLERANCE,
    estimates: Callable[[Double], Double] | None = None,
    look: Callable[[float, Double], None] | None = None,
) -> Double:
    """The factors with the least losses, [n]; each is the present one unless another is better.

    Args:
        present: Factors to begin with, [n]: of the channels of a layer, or of one activation.
        losses: Losses of factors, [n] each. A factor that is not allowed has an infinite one.
        settings: Effort of the search.
        rows: Rows that losses are computed from; where they are many, a side is left once its
            candidates are far from the best.
        from_scratch: Look at the whole interval first; otherwise only near the present factors.
        tolerance: Part by which a loss must be lower to count as such.
        estimates: Cheap estimates of the losses, if there are any: losses are computed only of the
            factors of either look with the least estimates then.
        look: Is given each factor of the first look and its losses, or estimates.
    """
    best = losses(present)
    chosen = present.copy()

    def consider(factors: Double) -> Double:
        found = losses(factors)
        better = found < best * (1 - tolerance)
        best[better] = found[better]
        chosen[better] = factors[better]
        return found

    tried: list[tuple[float, Double]] = []
    for side in outward(coarse_factors(settings), 1.0) if from_scratch else ():
        patience = _Patience(settings, rows)
        # Estimates are compared with each other, as far as there are any.
        least = best.copy()
        if estimates is not None and tried:
            least = np.minimum.reduce([found for _, found in tried])
        for factor in side.tolist():
            found = (estimates or consider)(np.full(len(chosen), factor))
            tried.append((factor, found))
            if look is not None:
                look(factor, found)
            np.minimum(least, found, out=least)
            if patience.ends(bool((found > _HOPELESS * least).all())):
                break
    if estimates is not None:
        tried.sort(key=lambda pair: pair[0])
        _consider_best(
            consider,
            [(np.full(len(chosen), factor), found) for factor, found in tried],
            _EXACT_COARSE,
        )
    near = [
        np.clip(chosen + offset, settings.low, settings.high) for offset in fine_offsets(settings)
    ]
    if estimates is not None:
        _consider_best(consider, [(factors, estimates(factors)) for factors in near], _EXACT_FINE)
        return chosen
    for factors in near:
        consider(factors)
    return chosen


def _consider_best(
    consider: Callable[[Double], Double], estimated: Sequence[tuple[Double, Double]], count: int
) -> None:
    """Compute the losses of the factors [n] that have the least estimates, each of its own."""
    if not estimated:
        return
    factors, losses = (np.array(column) for column in zip(*estimated))
    for ranked in np.argsort(losses, axis=0, kind="stable")[:count]:
        consider(np.take_along_axis(factors, ranked[np.newaxis], 0)[0])


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


def outward(factors: Double, centre: float) -> tuple[Double, Double]:
    """Candidates below and from a scale on, each from the nearest to the farthest."""
    return factors[factors < centre][::-1], factors[factors >= centre]


def coarse_factors(settings: SearchSettings) -> Double:
    """First look: every ``coarse``-th of the steps that cut [low, high], both ends included."""
    grid = np.linspace(settings.low, settings.high, settings.steps + 1)
    factors: Double = np.unique(np.append(grid[:: settings.coarse], grid[-1]))
    return factors


def fine_offsets(settings: SearchSettings) -> Double:
    """Second look: single steps to either side of the best candidate so far."""
    step = (settings.high - settings.low) / settings.steps
    reach = np.arange(1, max(2, settings.coarse))
    offsets: Double = np.concatenate([-reach[::-1], reach]) * step
    return offsets
