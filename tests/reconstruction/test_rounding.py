"""Compensated rounding against exhaustive search, and its constraints."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.reconstruction.problems import correlated_rows
from tflite_eq.numerics.lattice import is_on_lattice, nearest_triplets
from tflite_eq.reconstruction.rounding import (
    Grid,
    IntegerGrid,
    TripletLattice,
    round_compensated,
    rounding_error,
)

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float32]


def random_gram(seed: int, groups: int, depth: int) -> Float:
    rows = correlated_rows(np.random.default_rng(seed), groups, 3 * depth, depth)
    gram = np.matmul(rows.transpose(0, 2, 1), rows)
    gram /= np.trace(gram, axis1=1, axis2=2)[:, None, None] / depth
    return (gram + 0.01 * np.eye(depth)).astype(np.float32)


def random_targets(seed: int, *shape: int, spread: float = 3.0) -> Float:
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


def exhaustive(targets: Float, gram: Float, choices: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Least error per channel over all rows of ``choices`` [n, D]."""
    errors = choices[:, None, :] - targets.astype(np.float64)
    return np.einsum("nkd,de,nke->nk", errors, gram.astype(np.float64), errors).min(axis=0)


def compare(grid: Grid, nearest: Callable[[Float], Float], points: Array, spread: float) -> Array:
    """Error summed over small problems: as found, of nearest codes, of the best of all codes."""
    sums = np.zeros(3)
    for seed in range(8):
        gram = random_gram(seed, 1, 6)
        targets = random_targets(seed, 1, 5, 6, spread=spread)
        found = rounding_error(round_compensated(targets, gram, grid), targets, gram)[0]
        best = exhaustive(targets[0], gram[0], points)
        assert (found >= best * (1 - 1e-4)).all()
        sums += found.sum(), rounding_error(nearest(targets), targets, gram).sum(), best.sum()
    return sums


def test_plain_grid_halves_the_error_of_nearest_codes() -> None:
    points = np.array(list(itertools.product(range(-2, 3), repeat=6)))
    found, nearest, best = compare(
        IntegerGrid(2), lambda x: np.clip(np.rint(x), -2, 2), points, spread=1.0
    )
    assert found < 0.5 * nearest
    assert found < 2 * best  # six strongly correlated columns; single steps do not reach the end


def test_triplets_come_within_a_fifth_of_the_optimum() -> None:
    triplets = [
        p
        for p in itertools.product(range(-3, 4), repeat=3)
        if sum(p) % 2 == 0 and abs(p[0] + p[2]) + abs(p[1]) <= 6
    ]
    points = np.array([a + b for a, b in itertools.product(triplets, repeat=2)])

    def nearest(targets: Float) -> Float:
        codes = nearest_triplets(targets.reshape(-1, 3), 3).astype(np.float32)
        return codes.reshape(targets.shape)

    found, rounded, best = compare(TripletLattice(3), nearest, points, spread=1.2)
    assert found < 0.5 * rounded
    assert found < 1.2 * best


@pytest.mark.parametrize("limit", [7, 127])
def test_triplets_far_outside_stay_on_the_lattice(limit: int) -> None:
    gram = random_gram(0, 1, 27)
    targets = random_targets(0, 1, 16, 27, spread=limit)
    codes = round_compensated(targets, gram, TripletLattice(limit)).astype(np.int16)
    # Columns (y, c, x) as the filter layout [K, y, x, c].
    assert is_on_lattice(codes.reshape(16, 3, 3, 3).transpose(0, 1, 3, 2), limit).all()


@pytest.mark.parametrize("limit", [63, 127])
def test_codes_keep_to_their_limit(limit: int) -> None:
    targets = random_targets(1, 2, 8, 20, spread=limit)
    codes = round_compensated(targets, random_gram(1, 2, 20), IntegerGrid(limit))
    assert np.abs(codes).max() == limit
    np.testing.assert_array_equal(codes, np.rint(codes))


@pytest.mark.parametrize("grid", [IntegerGrid(127), TripletLattice()])
@pytest.mark.parametrize("depth", [9, 96, 99, 201])
def test_no_single_move_helps_any_more(grid: Grid, depth: int) -> None:
    """Depths around the block size: every column is visited, and sees what the others did."""
    gram = random_gram(depth, 2, depth)
    targets = random_targets(depth, 2, 3, depth, spread=20.0)
    codes = round_compensated(targets, gram, grid)
    error = rounding_error(codes, targets, gram)
    if grid.unit == 1:
        moves = [np.eye(depth)[i] * sign for i in range(depth) for sign in (1, -1)]
    else:
        moves = []
        for triplet in range(0, depth, 3):
            for i, j in itertools.product(range(3), repeat=2):
                for a, b in itertools.product((1, -1), repeat=2):
                    move = np.zeros(depth)
                    move[triplet + i] += a
                    move[triplet + j] += b
                    moves.append(move)
    for move in moves:
        changed = rounding_error(codes + move.astype(np.float32), targets, gram)
        assert (changed > error - 0.02).all()


@pytest.mark.parametrize("grid", [IntegerGrid(127), TripletLattice()])
def test_nearest_plane_is_a_better_start_than_nearest_codes(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coordinate descent alone stops in local optima that the start avoids."""

    def nearest(targets: Float, gram: Float, grid: Grid) -> Float:
        units = targets.reshape(*targets.shape[:2], -1, grid.unit)
        return grid.nearest(units).reshape(targets.shape)

    gram = random_gram(7, 1, 120)
    targets = random_targets(7, 1, 40, 120, spread=20.0)
    with_plane = rounding_error(round_compensated(targets, gram, grid), targets, gram).sum()
    monkeypatch.setattr("tflite_eq.reconstruction.rounding._nearest_plane", nearest)
    without = rounding_error(round_compensated(targets, gram, grid), targets, gram).sum()
    assert with_plane < 0.97 * without


def test_groups_are_independent() -> None:
    """As for depthwise convolutions: each group has its own Gram matrix."""
    gram = random_gram(2, 5, 9)
    targets = random_targets(2, 5, 1, 9)
    together = round_compensated(targets, gram, IntegerGrid(127))
    for g in range(5):
        alone = round_compensated(targets[g : g + 1], gram[g : g + 1], IntegerGrid(127))
        np.testing.assert_array_equal(together[g : g + 1], alone)


def test_uncorrelated_inputs_are_rounded_to_nearest() -> None:
    gram = np.eye(12, dtype=np.float32)[None]
    targets = random_targets(4, 1, 6, 12)
    codes = round_compensated(targets, gram, IntegerGrid(127))
    np.testing.assert_array_equal(codes, np.rint(targets))
    lattice = round_compensated(targets, gram, TripletLattice())
    expected = nearest_triplets(targets.reshape(-1, 3)).reshape(targets.shape)
    np.testing.assert_array_equal(lattice, expected)


def test_deterministic() -> None:
    gram, targets = random_gram(3, 1, 60), random_targets(3, 1, 40, 60)
    first = round_compensated(targets.copy(), gram.copy(), TripletLattice())
    np.testing.assert_array_equal(first, round_compensated(targets, gram, TripletLattice()))
