from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tflite_eq.numerics import lattice, weights
from tflite_eq.numerics.grids import WeightGrid

values = st.floats(-100, 100, width=32)
finite_filters = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.just(3), st.just(3), st.just(2)), elements=values
)
grids = st.sampled_from(WeightGrid)


def test_max_scales_by_hand() -> None:
    channels = np.array([[1.27, -0.5], [0.1, -2.54]], np.float32)
    np.testing.assert_allclose(weights.max_scales(channels, WeightGrid.INT8), [0.01, 0.02], 1e-6)
    np.testing.assert_allclose(
        weights.max_scales(channels, WeightGrid.INT7), [1.27 / 63, 2.54 / 63], 1e-6
    )


def test_codes_by_hand() -> None:
    channels = np.array([[0.05, -0.05, 0.049, 2.0, -2.0]], np.float32)
    scale = np.array([0.1], np.float32)
    assert weights.quantize_filters(channels, scale, WeightGrid.INT8).tolist() == [
        [1, -1, 0, 20, -20]
    ]
    wide = weights.quantize_filters(channels, scale / 20, WeightGrid.INT7)
    assert wide.tolist() == [[10, -10, 10, 63, -63]]
    # -128 has no positive counterpart; kernels rely on its absence.
    assert weights.quantize_filters(channels, scale / 20, WeightGrid.INT8).min() == -127


@given(finite_filters, grids)
def test_max_scales_clip_nothing(channels: np.ndarray, grid: WeightGrid) -> None:
    scales = weights.max_scales(channels, grid)
    codes = weights.quantize_filters(channels, scales, grid)
    real = weights.dequantize_filters(codes, scales)
    # A lattice point may be one and a half steps away in one coordinate, never further.
    steps = 1.5 if grid is WeightGrid.EVEN_TRIPLETS else 0.5
    error = np.abs(real - channels) / scales.reshape(-1, 1, 1, 1)
    assert error.max() <= steps + 1e-4


@given(finite_filters, grids, st.floats(0.25, 2))
def test_codes_stay_on_their_grid(channels: np.ndarray, grid: WeightGrid, factor: float) -> None:
    scales = (weights.max_scales(channels, grid) * factor).astype(np.float32)
    codes = weights.quantize_filters(channels, scales, grid)
    assert codes.dtype == np.int8
    assert np.abs(codes.astype(int)).max() <= grid.limit
    if grid is WeightGrid.EVEN_TRIPLETS:
        assert lattice.is_on_lattice(codes).all()


@pytest.mark.parametrize("grid", WeightGrid)
def test_dead_channel_has_a_positive_scale_and_zero_codes(grid: WeightGrid) -> None:
    channels = np.zeros((2, 3, 3, 1), np.float32)
    channels[1] = 1.0
    scales = weights.max_scales(channels, grid)
    assert (scales > 0).all()
    assert not weights.quantize_filters(channels, scales, grid)[0].any()


@pytest.mark.parametrize("weight", [1e-44, 1e-38, 1e-30, 1e-12])
@pytest.mark.parametrize("bias", [0.0, 1e-44, 1.0])
def test_channels_that_weight_decay_has_all_but_removed(weight: float, bias: float) -> None:
    channels = np.full((2, 3, 3, 1), weight, np.float32)
    channels[1] = 1.0
    for grid in WeightGrid:
        scales = weights.max_scales(channels, grid)
        assert not weights.quantize_filters(channels, scales, grid)[0].any()
        scales = np.maximum(scales[:1], weights.bias_floor(np.array([bias], np.float32), 1e-8))
        codes, bias_scales = weights.quantize_bias(np.array([bias], np.float32), 1e-8, scales)
        assert codes[0] * float(bias_scales[0]) == pytest.approx(bias, rel=1e-6, abs=1e-14)


def test_bias_by_hand() -> None:
    bias = np.array([1.0, -0.3, 0.0], np.float32)
    codes, scales = weights.quantize_bias(bias, 0.5, np.array([0.25, 0.5, 1.0], np.float32))
    assert scales.tolist() == [0.125, 0.25, 0.5]
    assert codes.tolist() == [8, -1, 0]
    assert codes.dtype == np.int32


def test_bias_saturates_within_int32() -> None:
    bias = np.array([1e30, -1e30], np.float32)
    codes, _ = weights.quantize_bias(bias, 1e-3, np.full(2, 1e-3, np.float32))
    assert codes[0] > 2**30
    assert codes[1] < -(2**30)


@given(
    hnp.arrays(np.float32, 3, elements=st.floats(-1e6, 1e6, width=32)),
    st.floats(2**-20, 2**10, width=32),
)
def test_bias_codes_at_the_floor_stay_within_the_limit(
    bias: np.ndarray, input_scale: float
) -> None:
    floor = np.maximum(weights.bias_floor(bias, input_scale), weights.MIN_SCALE)
    codes, _ = weights.quantize_bias(bias, input_scale, floor)
    # float32 products carry three roundings; MLIR's own check has the same slack.
    assert np.abs(codes.astype(np.int64)).max() <= 2**30 * (1 + 2**-21)


def test_bias_floor_is_tight() -> None:
    bias = np.array([1000.0], np.float32)
    floor = weights.bias_floor(bias, 2**-10)
    exact = Fraction(1000) / (Fraction(1, 2**10) * 2**30)
    assert Fraction(float(floor[0])) >= exact
    assert Fraction(float(floor[0])) <= exact * (1 + Fraction(1, 2**22))


def test_layers_of_small_weights_keep_them() -> None:
    filters = np.array([[1e-12, -3e-13], [5e-13, 0]], np.float32)
    scales = weights.max_scales(filters, WeightGrid.INT8)
    assert scales * 127 == pytest.approx([1e-12, 5e-13])
    codes = weights.quantize_filters(filters, scales, WeightGrid.INT8)
    assert codes.tolist() == [[127, -38], [127, 0]]


def test_channels_that_are_nothing_beside_others_have_no_scale_of_their_own() -> None:
    filters = np.array([[1.0], [1e-12], [1e-40], [0]], np.float32)
    scales = weights.max_scales(filters, WeightGrid.INT8)
    assert scales[1] == scales[2] == weights.least_scale(scales[:1])
    assert scales[3] == weights.DEAD_CHANNEL_SCALE
    assert (weights.quantize_filters(filters, scales, WeightGrid.INT8)[1:] == 0).all()
