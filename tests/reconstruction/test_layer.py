"""Reconstruction of whole layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reconstruction.problems import Problem, correlated_rows
from tflite_eq.config import Reconstruction, SearchSettings
from tflite_eq.numerics import weights
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.numerics.lattice import is_on_lattice
from tflite_eq.reconstruction.layer import (
    QuantizedFilters,
    Reconstructed,
    Settings,
    reconstruct,
)

SHAPES: dict[str, tuple[int, tuple[int, ...]]] = {
    "pointwise": (1, (8, 1, 1, 12)),
    "3x3": (1, (6, 3, 3, 4)),
    "grouped": (2, (6, 1, 1, 10)),
    "depthwise": (5, (5, 3, 3, 1)),
}


def layer(shape: str, seed: int = 0, drift: float = 0.0) -> tuple[Problem, Any]:
    """Rows and FP32 outputs, and filters [K, ...]; the inputs have drifted off the FP32 ones."""
    groups, full = SHAPES[shape]
    rng = np.random.default_rng([seed, *full])
    filters = rng.standard_normal(full).astype(np.float32) * rng.uniform(0.2, 2, (full[0], 1, 1, 1))
    filters = filters.astype(np.float32)
    grouped = filters.reshape(groups, full[0] // groups, -1).astype(np.float64)
    rows = correlated_rows(rng, groups, 500, grouped.shape[2])
    exact = np.matmul(rows, grouped.transpose(0, 2, 1))
    mixing = np.eye(grouped.shape[2]) + drift * rng.standard_normal((grouped.shape[2],) * 2)
    noisy = np.matmul(rows, mixing) + 0.005 * rng.standard_normal(rows.shape)
    return Problem(noisy, exact, grouped), filters


def start_of(filters: Any, grid: WeightGrid, per_tensor: bool = False) -> QuantizedFilters:
    scales = weights.max_scales(filters, grid)
    if per_tensor:
        scales = np.full_like(scales, scales.max())
    return QuantizedFilters(weights.quantize_filters(filters, scales, grid), scales, grid)


def run(
    problem: Problem,
    filters: Any,
    start: QuantizedFilters,
    reconstruction: Reconstruction,
    per_tensor: bool = False,
    search: SearchSettings | None = None,
) -> Reconstructed:
    smallest = np.zeros(len(filters), np.float32)
    settings = Settings(reconstruction, True, per_tensor, search, smallest)
    return reconstruct(filters, start, problem.moments(2), settings)


def noise(problem: Problem, found: QuantizedFilters) -> Any:
    real = weights.dequantize_filters(found.codes, found.scales).astype(np.float64)
    return problem.error_of(real.reshape(problem.filters.shape)).ravel()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grid", list(WeightGrid))
@pytest.mark.parametrize("search", [None, SearchSettings()])
def test_rounding_is_never_worse_than_what_it_starts_from(
    shape: str, grid: WeightGrid, search: SearchSettings | None
) -> None:
    if grid is WeightGrid.EVEN_TRIPLETS and shape != "3x3":
        pytest.skip("only 3x3 convolutions have triplets")
    problem, filters = layer(shape)
    start = start_of(filters, grid)
    found = run(problem, filters, start, Reconstruction.ROUNDING, search=search)
    before, after = noise(problem, start), noise(problem, found.filters)
    assert (after <= before + 1e-6 * problem.outputs.var(axis=1).ravel()).all()
    # Among 31 codes fewer weights have a better one than the nearest.
    assert after.sum() < (0.95 if grid is WeightGrid.INT5 else 0.9) * before.sum()
    assert found.ridge is None
    # Moments are sums of float32 products: differences below 1e-6 of the signal mean nothing.
    signal = problem.outputs.var(axis=1).sum()
    assert found.noise_before == pytest.approx(before.sum() / signal, rel=1e-2, abs=1e-6)
    assert found.noise_after == pytest.approx(after.sum() / signal, rel=1e-2, abs=1e-6)
    codes = found.filters.codes.astype(np.int16)
    assert np.abs(codes).max() <= grid.limit
    if grid is WeightGrid.EVEN_TRIPLETS:
        assert is_on_lattice(codes).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_refit_follows_inputs_that_have_drifted(shape: str) -> None:
    problem, filters = layer(shape, drift=0.02)
    start = start_of(filters, WeightGrid.INT8)
    rounded = run(problem, filters, start, Reconstruction.ROUNDING, search=SearchSettings())
    refitted = run(problem, filters, start, Reconstruction.REFIT, search=SearchSettings())
    assert refitted.ridge is not None
    assert refitted.noise_after < 0.6 * rounded.noise_after


@pytest.mark.parametrize("reconstruction", [Reconstruction.ROUNDING, Reconstruction.REFIT])
def test_one_scale_per_tensor_stays_one(reconstruction: Reconstruction) -> None:
    problem, filters = layer("pointwise", drift=0.002)
    start = start_of(filters, WeightGrid.INT8, per_tensor=True)
    found = run(problem, filters, start, reconstruction, True, SearchSettings())
    assert len(np.unique(found.filters.scales)) == 1
    assert found.noise_after < found.noise_before


def test_biases_bound_the_scales() -> None:
    problem, filters = layer("pointwise")
    start = start_of(filters, WeightGrid.INT8)
    floor = (start.scales * 1.5).astype(np.float32)
    start = QuantizedFilters(
        weights.quantize_filters(filters, floor, WeightGrid.INT8), floor, WeightGrid.INT8
    )
    settings = Settings(Reconstruction.REFIT, True, False, SearchSettings(), floor)
    found = reconstruct(filters, start, problem.moments(2), settings)
    assert (found.filters.scales >= floor).all()


def test_dead_channels_and_dead_inputs_are_survived() -> None:
    problem, filters = layer("depthwise")
    filters[1] = 0
    problem.rows[2] = 0
    dead = Problem(problem.rows, problem.outputs, filters.reshape(problem.filters.shape))
    found = run(dead, filters, start_of(filters, WeightGrid.INT8), Reconstruction.REFIT)
    assert np.isfinite(found.noise_after)
    assert np.isfinite(found.filters.scales).all()


def test_deterministic() -> None:
    problem, filters = layer("3x3", drift=0.02)
    start = start_of(filters, WeightGrid.EVEN_TRIPLETS)
    one, other = (run(problem, filters, start, Reconstruction.REFIT) for _ in range(2))
    np.testing.assert_array_equal(one.filters.codes, other.filters.codes)
    np.testing.assert_array_equal(one.filters.scales, other.filters.scales)
