from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_eq.config import ActivationMode, Objective, SearchSettings
from tflite_eq.numerics import lattice, weights
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.numerics.windows import affine_for
from tflite_eq.search.candidates import coarse_factors, fine_offsets
from tflite_eq.search.easyquant import (
    LayerReader,
    SampledRows,
    ValueReader,
    initial_weight_scales,
    search_scales,
)
from tflite_eq.search.objective import Criterion

Array = npt.NDArray[Any]

FAST = SearchSettings(steps=30, coarse=5, max_rounds=2)
MSE = Criterion(Objective.MSE, corrects_bias=False)

criteria = st.builds(Criterion, st.sampled_from(Objective), st.booleans())


@dataclasses.dataclass(frozen=True)
class Layer:
    """A random layer: heavy-tailed filters and inputs, so that clipping can pay."""

    filters: Array
    groups: int
    rows: Array
    output: Array
    interval: tuple[float, float]

    @classmethod
    def random(
        cls, seed: int, groups: int = 1, per_group: int = 4, signed: bool = True, count: int = 80
    ) -> Layer:
        rng = np.random.default_rng(seed)
        channels = 2
        filters = rng.standard_t(3, (groups * per_group, 3, 3, channels)).astype(np.float32)
        filters *= rng.uniform(0.01, 2, (len(filters), 1, 1, 1)).astype(np.float32)
        exact = rng.standard_t(4, (groups, count, 9 * channels)).astype(np.float32)
        exact = exact if signed else np.maximum(exact, 0)
        rows = exact + 0.02 * rng.standard_normal(exact.shape).astype(np.float32)
        rows = rows if signed else np.maximum(rows, 0)
        grouped = filters.reshape(groups, per_group, -1)
        output = np.matmul(exact, grouped.transpose(0, 2, 1))
        interval = (min(float(exact.min()), 0.0), float(exact.max()))
        return cls(filters, groups, rows, output, interval)

    def reader(
        self,
        criterion: Criterion = MSE,
        grid: WeightGrid = WeightGrid.INT8,
        per_tensor: bool = False,
        share: int = 1,
    ) -> LayerReader:
        return LayerReader(
            self.filters,
            self.groups,
            SampledRows(self.rows),
            self.output,
            grid,
            criterion,
            per_tensor,
            share,
        )


layers = st.builds(
    Layer.random,
    st.integers(0, 10**6),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 4]),
    st.booleans(),
    st.sampled_from([12, 80]),
)


def params_of(interval: tuple[float, float], int7: bool = False) -> AffineParams:
    floor = 0.0 if interval[0] == 0 else None
    return affine_for(*interval, int7, ActivationMode.ASYMMETRIC, floor)[0]


def squared_errors(layer: Layer, scales: Array, params: AffineParams, grid: WeightGrid) -> Array:
    """Per-channel squared output errors from the definition, in float64."""
    codes = weights.quantize_filters(layer.filters, scales, grid).astype(np.float64)
    real = codes * scales.astype(np.float64).reshape(-1, 1, 1, 1)
    real = real.reshape(layer.groups, len(codes) // layer.groups, -1)
    inputs = fake_quantize(layer.rows, params).astype(np.float64)
    return np.square(np.matmul(inputs, real.transpose(0, 2, 1)) - layer.output).sum(1).ravel()


@settings(deadline=None, max_examples=60)
@given(layers, criteria, st.sampled_from(WeightGrid), st.booleans())
def test_weight_search_never_ends_worse(
    layer: Layer, criterion: Criterion, grid: WeightGrid, per_tensor: bool
) -> None:
    reader = layer.reader(criterion, grid, per_tensor)
    params = params_of(layer.interval)
    before = reader.total(params)
    changed = reader.search_weights(params, FAST)
    after = reader.total(params)
    assert after <= before * (1 + 1e-5) + 1e-7
    if not changed:
        assert after == before
    if per_tensor:
        assert len(set(reader.scales.tolist())) == 1
    assert np.abs(reader.codes.astype(int)).max() <= grid.limit
    if grid is WeightGrid.EVEN_TRIPLETS:
        assert lattice.is_on_lattice(reader.codes).all()
    np.testing.assert_array_equal(
        reader.codes, weights.quantize_filters(layer.filters, reader.scales, grid)
    )


@settings(deadline=None, max_examples=60)
@given(
    st.lists(layers, min_size=1, max_size=2),
    criteria,
    st.sampled_from(WeightGrid),
    st.booleans(),
    st.sampled_from([8, 1]),
    st.sampled_from([SearchSettings(steps=30, max_rounds=3), SearchSettings(steps=7, coarse=3)]),
)
def test_whole_search_never_ends_worse(
    several: list[Layer],
    criterion: Criterion,
    grid: WeightGrid,
    per_tensor: bool,
    share: int,
    effort: SearchSettings,
) -> None:
    readers = [layer.reader(criterion, grid, per_tensor, share) for layer in several]
    low = min(layer.interval[0] for layer in several)
    high = max(layer.interval[1] for layer in several)
    starts = {"minmax": (low, high), "kl": (low * 0.6, high * 0.6)}
    initial = np.mean([reader.total(params_of(starts["minmax"])) for reader in readers])
    found = search_scales(readers, starts, params_of, effort)
    assert found.loss_before == pytest.approx(initial, rel=1e-6, abs=1e-12)
    assert found.loss_after <= found.loss_before
    final = np.mean([reader.total(params_of(found.interval)) for reader in readers])
    assert final == pytest.approx(found.loss_after, rel=1e-6, abs=1e-12)
    assert effort.low <= found.factor <= effort.high


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(WeightGrid))
def test_without_coarse_steps_the_weight_search_is_exhaustive(seed: int, grid: WeightGrid) -> None:
    """Per channel nothing among the paper's 101 candidates and the initial scale is better."""
    layer = Layer.random(seed, groups=2 if grid is WeightGrid.INT7 else 1)
    params = params_of(layer.interval)
    initial = initial_weight_scales(layer.filters, grid, per_tensor=False)
    factors = np.append(np.linspace(0.5, 2, 101), 1.0)
    losses = np.stack(
        [
            squared_errors(layer, (initial * factor).astype(np.float32), params, grid)
            for factor in factors
        ]
    )
    reader = layer.reader(MSE, grid)
    reader.search_weights(params, SearchSettings(coarse=1))
    found = squared_errors(layer, reader.scales, params, grid)
    assert (found <= losses.min(axis=0) * (1 + 1e-4)).all()
    # Beyond the grid only the initial scale and its neighbours one step away are tried.
    step = np.abs(reader.scales[:, None] / initial[:, None] - np.append(factors, [0.985, 1.015]))
    assert step.min(axis=1).max() < 1e-6


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.booleans())
def test_without_coarse_steps_the_activation_search_is_exhaustive(seed: int, signed: bool) -> None:
    layer = Layer.random(seed, signed=signed)
    effort = SearchSettings(coarse=1, max_rounds=1)
    found = search_scales([layer.reader()], {"minmax": layer.interval}, params_of, effort)
    # One round: weights under the initial interval, then the activation scale.
    reader = layer.reader()
    reader.search_weights(params_of(layer.interval), effort)
    totals = [
        squared_errors(
            layer,
            reader.scales,
            params_of((layer.interval[0] * factor, layer.interval[1] * factor)),
            WeightGrid.INT8,
        ).sum()
        for factor in [1.0, *np.linspace(0.5, 2, 101)]
    ]
    chosen = squared_errors(layer, reader.scales, params_of(found.interval), WeightGrid.INT8).sum()
    assert chosen <= min(totals) * (1 + 1e-4)
    grid = np.append(np.linspace(0.5, 2, 101), [0.985, 1.0, 1.015])
    assert np.abs(grid - found.factor).min() < 1e-9


def test_initial_scale_is_a_candidate_though_not_on_the_grid() -> None:
    """Weights and inputs that the initial scales hold exactly: any other scale is worse."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-127, 128, (4, 1, 1, 6)).astype(np.float32)
    codes[:, 0, 0, 0] = 127
    filters = codes * np.float32(2**-5)
    rows = rng.integers(-128, 128, (1, 50, 6)).astype(np.float32) * np.float32(2**-3)
    rows.flat[:2] = -16, 15.875
    output = np.matmul(rows, filters.reshape(1, 4, 6).transpose(0, 2, 1))
    effort = SearchSettings(steps=7)
    assert 1.0 not in coarse_factors(effort)
    reader = LayerReader(filters, 1, SampledRows(rows), output, WeightGrid.INT8, MSE)
    found = search_scales([reader], {"minmax": (-16.0, 15.875)}, params_of, effort)
    assert found.factor == 1.0
    assert found.loss_after == 0.0
    np.testing.assert_array_equal(reader.scales, np.full(4, 2**-5, np.float32))


def test_search_pays_for_outliers() -> None:
    """One large weight and one large input per channel, at seven bits."""
    layer = Layer.random(5, per_group=8, count=400)
    filters = layer.filters.copy()
    filters[:, 0, 0, 0] = 12 * filters.std(axis=(1, 2, 3))
    rows = np.clip(layer.rows, -3, 3)
    rows[:, :, 0] = 0.01
    rows[0, 0, 5] = 12.0
    output = np.matmul(rows, filters.reshape(1, 8, -1).transpose(0, 2, 1))
    for criterion in (MSE, Criterion(Objective.COSINE, False), Criterion(Objective.MSE, True)):
        reader = LayerReader(filters, 1, SampledRows(rows), output, WeightGrid.INT7, criterion)
        found = search_scales(
            [reader], {"minmax": (-3.0, 12.0)}, lambda i: params_of(i, True), SearchSettings()
        )
        assert found.loss_after < 0.6 * found.loss_before
        assert found.factor < 1


def test_better_start_is_taken() -> None:
    layer = Layer.random(1)
    low, high = layer.interval
    starts = {"wide": (low * 40, high * 40), "right": (low, high)}
    found = search_scales([layer.reader()], starts, params_of, FAST)
    assert found.start == "right"
    assert found.interval == (low * found.factor, high * found.factor)


def test_without_leave_to_clip_intervals_only_grow() -> None:
    for seed in range(5):
        layer = Layer.random(seed)
        found = search_scales(
            [layer.reader()], {"minmax": layer.interval}, params_of, FAST, may_clip=False
        )
        assert found.factor >= 1


def test_per_channel_scales_beat_a_single_one() -> None:
    layer = Layer.random(3, per_group=8)
    losses = []
    for per_tensor in (False, True):
        reader = layer.reader(per_tensor=per_tensor)
        losses.append(search_scales([reader], {"m": layer.interval}, params_of, FAST).loss_after)
    assert losses[0] < losses[1]


def test_reset_returns_to_the_initial_scales() -> None:
    layer = Layer.random(4)
    reader = layer.reader()
    before = reader.scales.copy()
    assert reader.search_weights(params_of(layer.interval), FAST)
    assert not np.array_equal(reader.scales, before)
    reader.reset()
    np.testing.assert_array_equal(reader.scales, before)


def test_a_reader_that_suffers_from_clipping_is_heard() -> None:
    """The layer alone would clip; an ADD that reads the same tensor needs the whole range."""
    layer = Layer.random(5, per_group=8, count=400, signed=False)
    rows = np.clip(layer.rows, 0, 3)
    rows[0, :3, 5] = 40.0
    filters = layer.filters.copy()
    filters[:, 0, 2, 1] = 1e-3  # the weights of input 5
    output = np.matmul(rows, filters.reshape(1, 8, -1).transpose(0, 2, 1))

    def search(*others: ValueReader) -> float:
        reader = LayerReader(filters, 1, SampledRows(rows), output, WeightGrid.INT8, MSE)
        return search_scales([reader, *others], {"m": (0.0, 40.0)}, params_of, FAST).interval[1]

    values = np.append(np.clip(layer.rows.ravel()[:500], 0, 3), np.full(20, 40, np.float32))
    assert search() < 25
    assert search(ValueReader(values, values, MSE)) > 35


def test_value_reader_measures_the_values_own_error() -> None:
    values = np.array([-1.0, 0.3, 0.2, 2.0], np.float32)
    reader = ValueReader(values, values, MSE)
    params = AffineParams(0.5, 0)
    noise = np.square(fake_quantize(values, params) - values).sum() / np.square(values).sum()
    assert reader.total(params) == pytest.approx(noise, rel=1e-5)
    assert not reader.search_weights(params, FAST)


def test_candidates_are_the_papers() -> None:
    every = coarse_factors(SearchSettings(coarse=1))
    np.testing.assert_allclose(every, 0.5 + 0.015 * np.arange(101))
    coarse = coarse_factors(SearchSettings(coarse=7))
    np.testing.assert_allclose(coarse[:-1], every[::7])
    assert coarse[-1] == 2.0
    np.testing.assert_allclose(
        fine_offsets(SearchSettings(coarse=5)), 0.015 * np.array([-4, -3, -2, -1, 1, 2, 3, 4])
    )
    np.testing.assert_allclose(fine_offsets(SearchSettings(coarse=1)), [-0.015, 0.015])
