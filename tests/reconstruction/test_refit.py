from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.reconstruction.problems import correlated_rows, problem
from tflite_eq.reconstruction.refit import RIDGES, choose_ridge, ridge_change


def test_a_known_linear_change_is_recovered() -> None:
    layer = problem(groups=2, count=4000, noise=0.1)
    true_change = np.random.default_rng(5).standard_normal(layer.filters.shape) * 0.3
    moved = dataclasses.replace(layer, filters=layer.filters - true_change)
    ridge = choose_ridge(moved.errors(2))
    assert ridge == min(RIDGES)
    [whole] = moved.errors(1)
    found = ridge_change(whole, 1e-6)
    assert np.abs(found - true_change).max() < 0.03
    np.testing.assert_allclose(moved.error_of(moved.filters + found), 0.01, rtol=0.15)


@pytest.mark.parametrize("ridge", [1e-3, 0.1, 10.0])
def test_the_change_minimises_the_regularised_error(ridge: float) -> None:
    layer = problem(seed=3)
    moved = dataclasses.replace(layer, filters=layer.filters + 0.1)
    [error] = moved.errors(1)

    def loss(change: np.ndarray) -> float:
        penalty = ridge * error.mean_diagonal[:, None] * np.square(change).sum(axis=-1)
        return float((moved.error_of(moved.filters + change) + penalty).sum())

    best = ridge_change(error, ridge)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert loss(best + 1e-2 * rng.standard_normal(best.shape)) > loss(best)


@pytest.mark.parametrize("seed", range(5))
def test_pure_noise_is_not_fitted(seed: int) -> None:
    """Nothing to learn and few rows: any change of the filters harms."""
    rng = np.random.default_rng(seed)
    rows = correlated_rows(rng, 1, 30, 24)
    filters = rng.standard_normal((1, 200, 24))
    noise = 5 * rng.standard_normal((1, 30, 200))
    layer = dataclasses.replace(
        problem(),
        rows=rows,
        filters=filters,
        outputs=np.matmul(rows, filters.transpose(0, 2, 1)) + noise,
    )
    assert choose_ridge(layer.errors(2)) is None


def test_one_fold_has_nothing_to_be_checked_on() -> None:
    assert choose_ridge(problem().errors(1)) is None


def test_the_ridge_with_the_least_error_on_the_other_half_is_taken() -> None:
    layer = problem(seed=2, depth=12, count=60)
    moved = dataclasses.replace(layer, filters=layer.filters * 0.97)
    chosen = choose_ridge(moved.errors(2))

    def other_half_error(ridge: float) -> float:
        # The folds as ``Problem.moments`` deals them, from the rows with plain least squares.
        blocks = np.array_split(np.arange(60), 6)
        folds = [np.concatenate(blocks[i::2]) for i in range(2)]
        total = 0.0
        for fitted, judged in (folds, folds[::-1]):
            x = moved.rows[0, fitted] - moved.rows[0, fitted].mean(axis=0)
            residual = moved.outputs[0, fitted] - moved.rows[0, fitted] @ moved.filters[0].T
            residual = residual - residual.mean(axis=0)
            gram = x.T @ x
            pull = ridge * np.trace(gram) / 12 * np.eye(12)
            change = np.linalg.solve(gram + pull, x.T @ residual).T
            part = dataclasses.replace(
                moved, rows=moved.rows[:, judged], outputs=moved.outputs[:, judged]
            )
            total += part.error_of(moved.filters + change).sum()
        return total

    assert chosen == min(RIDGES, key=other_half_error)
