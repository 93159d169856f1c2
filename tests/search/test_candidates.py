"""The loop that scales are searched by, held to losses whose best factors are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.config import SearchSettings
from tflite_eq.search.candidates import best_factors

Double = npt.NDArray[np.float64]

SETTINGS = SearchSettings()
STEP = (SETTINGS.high - SETTINGS.low) / SETTINGS.steps
BEST = np.array([0.62, 0.995, 1.31, 1.9])


def valley(factors: Double) -> Double:
    """Losses that are least at ``BEST``."""
    return 0.1 + (factors - BEST) ** 2


@pytest.mark.parametrize("rows", [0, 4096])
def test_each_channel_gets_its_own_best_step(rows: int) -> None:
    found = best_factors(np.ones(4), valley, SETTINGS, rows=rows)
    np.testing.assert_allclose(found, BEST, atol=STEP / 2 + 1e-9)


def test_what_is_not_better_leaves_the_present_factor() -> None:
    present = np.array([0.9, 1.1, 1.2, 1.3])
    np.testing.assert_array_equal(best_factors(present, np.ones_like, SETTINGS), present)


def test_an_infinite_loss_is_never_chosen() -> None:
    def refusing(factors: Double) -> Double:
        return np.where(factors < 1.0, np.inf, valley(factors))

    found = best_factors(np.ones(4), refusing, SETTINGS)
    assert found[0] == found[1] == 1.0
    np.testing.assert_allclose(found[2:], BEST[2:], atol=STEP / 2 + 1e-9)


def test_later_rounds_look_near_the_present_factors_only() -> None:
    seen: list[float] = []

    def watched(factors: Double) -> Double:
        seen.extend(factors.tolist())
        return valley(factors)

    best_factors(np.full(4, 1.2), watched, SETTINGS, from_scratch=False)
    reach = STEP * (SETTINGS.coarse - 1) + 1e-9
    assert 1.2 - reach <= min(seen) < max(seen) <= 1.2 + reach


def test_with_estimates_few_losses_are_computed_and_the_best_is_found() -> None:
    computed = 0

    def counted(factors: Double) -> Double:
        nonlocal computed
        computed += 1
        return valley(factors)

    found = best_factors(np.ones(4), counted, SETTINGS, estimates=lambda x: 2 * valley(x))
    np.testing.assert_allclose(found, BEST, atol=STEP / 2 + 1e-9)
    assert computed <= 7


def test_a_side_that_leads_away_is_left_where_rows_are_many() -> None:
    def looked_at(rows: int) -> list[float]:
        seen: list[float] = []
        steep = np.full(1, 1.0)
        best_factors(
            steep,
            lambda factors: 0.01 + (factors - 1.0) ** 2,
            SETTINGS,
            rows=rows,
            look=lambda factor, _: seen.append(factor),
        )
        return seen

    assert max(looked_at(4096)) < max(looked_at(0)) == SETTINGS.high
