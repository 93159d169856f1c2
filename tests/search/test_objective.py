from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_eq.config import Objective
from tflite_eq.search.objective import Criterion, QuantizedInput, Reference, output_total

MSE = Criterion(Objective.MSE, corrects_bias=False)
CENTRED = Criterion(Objective.MSE, corrects_bias=True)
COSINE = Criterion(Objective.COSINE, corrects_bias=False)

criteria = st.builds(Criterion, st.sampled_from(Objective), st.booleans())


def layer(seed: int, groups: int, count: int, depth: int, per_group: int) -> tuple[Any, ...]:
    """Rows, rows with noise, filters, filters with noise, exact output."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((groups, count, depth)).astype(np.float32) + np.float32(0.5)
    filters = rng.standard_normal((groups, per_group, depth)).astype(np.float32)
    noisy_rows = rows + 0.05 * rng.standard_normal(rows.shape).astype(np.float32)
    noisy_filters = filters + 0.05 * rng.standard_normal(filters.shape).astype(np.float32)
    return rows, noisy_rows, filters, noisy_filters, np.matmul(rows, filters.transpose(0, 2, 1))


def direct_losses(output: Any, quantized: Any, criterion: Criterion) -> Any:
    """Per-channel losses from the definitions, in float64."""
    y, z = (np.asarray(a, np.float64).transpose(0, 2, 1) for a in (output, quantized))
    y, z = (a.reshape(-1, a.shape[-1]) for a in (y, z))
    if criterion.objective is Objective.COSINE:
        return 1 - (y * z).sum(1) / np.sqrt((y * y).sum(1) * (z * z).sum(1))
    if criterion.corrects_bias:
        y, z = (a - a.mean(1, keepdims=True) for a in (y, z))
    return np.square(y - z).sum(1)


def direct_total(output: Any, quantized: Any, criterion: Criterion) -> float:
    y, z = (np.asarray(a, np.float64) for a in (output, quantized))
    if criterion.objective is Objective.COSINE:
        return float(1 - (y * z).sum() / np.sqrt((y * y).sum() * (z * z).sum()))
    if criterion.corrects_bias:
        y, z = (a - a.mean(1, keepdims=True) for a in (y, z))
    return float(np.square(y - z).sum() / np.square(y).sum())


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 3]),
    st.sampled_from([(40, 5), (5, 40), (16, 16), (300, 27)]),
    st.sampled_from([1, 4]),
    criteria,
)
def test_losses_are_those_of_the_definition_on_both_paths(
    seed: int, groups: int, size: tuple[int, int], per_group: int, criterion: Criterion
) -> None:
    _, rows, filters, candidate, output = layer(seed, groups, *size, per_group)
    judge = QuantizedInput(rows, filters, Reference(output, criterion))
    quantized = np.matmul(rows, candidate.transpose(0, 2, 1))
    scale = np.square(output).sum() if criterion.objective is Objective.MSE else 1.0
    np.testing.assert_allclose(
        judge.losses(candidate),
        direct_losses(output, quantized, criterion),
        rtol=1e-3,
        atol=3e-6 * scale,
    )
    expected = direct_total(output, quantized, criterion)
    assert judge.total(candidate) == pytest.approx(expected, rel=1e-3, abs=3e-6)
    assert output_total(rows, candidate, Reference(output, criterion)) == pytest.approx(
        expected, rel=1e-3, abs=3e-6
    )


def test_both_paths_are_taken() -> None:
    for size, uses_gram in (((40, 5), True), ((5, 40), False)):
        _, rows, filters, _, output = layer(0, 1, *size, 2)
        judge = QuantizedInput(rows, filters, Reference(output, MSE))
        assert (judge._gram is not None) == uses_gram


def test_small_errors_survive_the_gram_path() -> None:
    """From dot and norm alone the error would drown in the rounding of the signal."""
    rows, _, filters, _, output = layer(1, 1, 400, 9, 3)
    candidate = filters * np.float32(1 + 1e-4)
    judge = QuantizedInput(rows, filters, Reference(output, MSE))
    expected = 1e-8 * np.square(output.astype(np.float64)).sum((0, 1))
    np.testing.assert_allclose(judge.losses(candidate), expected, rtol=0.02)


@pytest.mark.parametrize("size", [(200, 9), (9, 200)])
def test_centred_objective_ignores_offsets(size: tuple[int, int]) -> None:
    rows, _, filters, candidate, output = layer(2, 2, *size, 3)
    # Adding a constant to one input shifts every output channel by a constant.
    shifted = rows.copy()
    shifted[..., 0] += 5.0
    for criterion, ignores in ((CENTRED, True), (MSE, False), (COSINE, False)):
        reference = Reference(output, criterion)
        plain, moved = (
            QuantizedInput(r, filters, reference).losses(candidate) for r in (rows, shifted)
        )
        same = np.allclose(plain, moved, rtol=1e-2)
        assert same == ignores
        totals = [output_total(r, candidate, reference) for r in (rows, shifted)]
        assert np.isclose(*totals, rtol=1e-2) == ignores


def test_cosine_ignores_bias_correction() -> None:
    assert not Reference(np.ones((1, 4, 1), np.float32), Criterion(Objective.COSINE, True)).centred


def test_cosine_by_hand() -> None:
    output = np.array([[[3.0], [4.0]]], np.float32)
    reference = Reference(output, COSINE)
    orthogonal = np.array([[[4.0], [-3.0]]], np.float32)
    identity = np.ones((1, 1, 1), np.float32)
    assert output_total(orthogonal, identity, reference) == pytest.approx(1.0)
    assert output_total(2 * output, identity, reference) == pytest.approx(0.0, abs=1e-7)
    assert output_total(-output, identity, reference) == pytest.approx(2.0)


@pytest.mark.parametrize("criterion", [MSE, CENTRED, COSINE])
def test_dead_layer_has_finite_losses(criterion: Criterion) -> None:
    zeros = np.zeros((1, 8, 3), np.float32)
    filters = np.zeros((1, 2, 3), np.float32)
    reference = Reference(np.zeros((1, 8, 2), np.float32), criterion)
    judge = QuantizedInput(zeros, filters, reference)
    assert np.isfinite(judge.losses(filters)).all()
    assert np.isfinite(judge.total(filters))
