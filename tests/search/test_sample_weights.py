"""Errors by sample, against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.config import Objective
from tflite_eq.search.objective import Criterion, QuantizedInput, Reference, output_total
from tflite_eq.search.sample_weights import Samples

Array = npt.NDArray[Any]

MSE = Criterion(Objective.MSE, False)


def case(seed: int) -> tuple[Array, Array, Array, Array]:
    """Rows, filters, candidate and whose the rows are; samples differ in loudness up to 3 times."""
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(6), [20, 20, 20, 7, 20, 20])
    loudness = np.array([1, 1.2, 0.8, 1.1, 3.0, 0.9])[whose]
    rows = (rng.standard_normal((1, len(whose), 12)) * loudness[:, None]).astype(np.float32)
    filters = rng.standard_normal((1, 5, 12)).astype(np.float32)
    candidate = filters + 0.05 * rng.standard_normal(filters.shape).astype(np.float32)
    return rows, filters, candidate.astype(np.float32), whose


def by_definition(exact: Array, made: Array, whose: Array, shares: Array) -> float:
    """Shared mean over samples, by rows, of squared error by the sample's own energy."""
    energy = [np.square(exact[0, whose == s]).mean() for s in range(6)]
    error = [np.square(exact[0, whose == s] - made[0, whose == s]).mean() for s in range(6)]
    counts = np.bincount(whose) * shares
    return float(sum(counts * np.array(error) / energy) / counts.sum())


@pytest.mark.parametrize("shares", [None, np.array([1, 1, 1, 1, 0.01, 1])])
@pytest.mark.parametrize("seed", range(4))
def test_losses_are_means_over_samples_of_errors_by_their_own_signal(
    seed: int, shares: Array | None
) -> None:
    rows, filters, candidate, whose = case(seed)
    exact, made = (rows @ f.transpose(0, 2, 1) for f in (filters, candidate))
    reference = Reference(exact, MSE, Samples(whose, shares))
    counted = np.ones(6) if shares is None else shares
    expected = by_definition(exact, made, whose, counted)
    assert output_total(rows, candidate, reference) == pytest.approx(expected, rel=1e-4)
    judged = QuantizedInput(rows, filters, reference).total(candidate)
    assert judged == pytest.approx(expected, rel=1e-3)


def test_a_loud_sample_outvotes_others_in_pooled_errors_and_not_by_sample() -> None:
    rows, filters, _, whose = case(0)
    louder = np.where(whose == 4, 3, 1).astype(np.float32)[:, np.newaxis]
    exact: Array = rows @ filters.transpose(0, 2, 1) * louder
    identity = np.eye(5, dtype=np.float32)[np.newaxis]

    def spoiling(sample: int, reference: Reference) -> float:
        """The loss if a tenth of what a sample computes is missing."""
        kept = np.where(whose == sample, 0.9, 1).astype(np.float32)[:, np.newaxis]
        return output_total(exact * kept, identity, reference)

    pooled, by_sample = Reference(exact, MSE), Reference(exact, MSE, Samples(whose))
    assert spoiling(4, pooled) > 20 * spoiling(0, pooled)
    assert spoiling(4, by_sample) == pytest.approx(spoiling(0, by_sample), rel=1e-3)


def test_a_blank_sample_does_not_decide() -> None:
    weights = Samples(np.repeat(np.arange(4), 10)).weights(
        np.concatenate([np.full((1, 30, 2), 1.0), np.full((1, 10, 2), 1e-6)], axis=1)
    )
    assert weights[-1] / weights[0] <= 4.001
