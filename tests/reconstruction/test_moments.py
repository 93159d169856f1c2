"""The quadratic form against errors computed from the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.problems import problem


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("centred", [True, False])
def test_error_of_changed_filters(groups: int, centred: bool) -> None:
    layer = problem(groups=groups)
    [error] = layer.errors(1, centred)
    change = np.random.default_rng(1).standard_normal(layer.filters.shape) * 0.1
    for d in (np.zeros_like(change), change):
        expected = layer.error_of(layer.filters + d, centred)
        np.testing.assert_allclose(error.at(d), expected, rtol=1e-3)
    y = layer.outputs - (layer.outputs.mean(axis=1, keepdims=True) if centred else 0)
    np.testing.assert_allclose(error.signal, np.square(y).mean(axis=1), rtol=1e-4)


def test_merged_moments_are_those_of_all_rows() -> None:
    layer = problem(groups=2)
    [whole] = layer.errors(1)
    first, second = layer.moments(folds=2)
    first.merge(second)
    merged = first.error_around(layer.filters, centred=True)
    np.testing.assert_allclose(merged.gram, whole.gram, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(merged.slope, whole.slope, atol=1e-4)


def test_a_large_mean_does_not_drown_the_variation() -> None:
    layer = problem()
    shifted = type(layer)(layer.rows + 1000.0, layer.outputs, layer.filters)
    [plain], [moved] = layer.errors(1), shifted.errors(1)
    np.testing.assert_allclose(moved.gram, plain.gram, rtol=1e-3)


def test_damping_counts_in_mean_diagonals() -> None:
    [error] = problem(groups=2).errors(1)
    added = error.damped(0.5) - error.gram
    for group in range(2):
        expected = 0.5 * np.trace(error.gram[group]) / error.gram.shape[1]
        np.testing.assert_allclose(added[group], expected * np.eye(error.gram.shape[1]))
