"""Filters and biases as integers, bit for bit as the MLIR quantizer rounds them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics import lattice
from tflite_eq.numerics.affine import clipped, round_half_away
from tflite_eq.numerics.grids import WeightGrid

Float = npt.NDArray[np.float32]

# MLIR keeps |bias code| below this and raises the filter scale of a channel that would exceed it.
MAX_BIAS_CODE = 2**30

# Scale of a channel without any weight; its codes are all zero whatever the scale.
DEAD_CHANNEL_SCALE = np.float32(2**-20)

# MLIR widens a channel's range to 1e-6, too. Weight decay leaves channels of 1e-40 behind, whose
# products with the input scale float32 could not hold.
MIN_SCALE = np.float32(1e-6 / 127)

# Layers whose weights are all small keep them: only a channel that is weaker than the strongest by
# this factor writes nothing that the scale of the output could tell from 0.
_WEAKEST = np.float32(2**-24)
_LEAST_SCALE = np.float32(1e-21)


def least_scale(scales: Float) -> np.float32:
    """The smallest filter scale that a layer with these scales [K] needs."""
    return np.float32(min(MIN_SCALE, max(scales.max(initial=0) * _WEAKEST, _LEAST_SCALE)))


def max_scales(filters: Float, grid: WeightGrid) -> Float:
    """Smallest scales that clip no weight, the initial scales of the search.

    Args:
        filters: [K, ...], output channels first; [K, 3, 3, C] for ``EVEN_TRIPLETS``.
        grid: The set the codes are taken from.

    Returns:
        Positive float32 scales of shape [K].
    """
    if grid is WeightGrid.EVEN_TRIPLETS:
        scales = lattice.lattice_scale(filters).astype(np.float32)
    else:
        largest = np.abs(filters.reshape(len(filters), -1)).max(axis=1)
        scales = largest / np.float32(grid.limit)
    return np.where(scales > 0, np.maximum(scales, least_scale(scales)), DEAD_CHANNEL_SCALE)


def bias_floor(bias: Float, input_scale: float) -> npt.NDArray[np.float32]:
    """Smallest filter scales for which |bias code| stays within 2**30, shape [K]."""
    floor = np.abs(bias.astype(np.float64)) / (np.float64(input_scale) * MAX_BIAS_CODE)
    return np.nextafter(floor.astype(np.float32), np.float32(np.inf))


def quantize_filters(
    filters: Float,
    scales: Float,
    grid: WeightGrid,
    copies: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int8]:
    """Codes of filters [K, ..., C] under scales [K]: nearest point of the grid, saturating.

    Args:
        filters: Real weights.
        scales: Real units per code.
        grid: The set codes are taken from.
        copies: Which copy of an input channel each slice along the last axis reads, from 0, [C],
            copies side by side. What rounding does to the weights on one copy is made up for by
            those on the next, so that their sum is as good as on a grid of one step for them all.
    """
    if copies is None:
        return _nearest_codes(filters, scales, grid)
    codes = np.empty(filters.shape, np.int8)
    wanted = filters.copy()
    for number in range(int(copies.max()) + 1):
        own = np.flatnonzero(copies == number)
        codes[..., own] = _nearest_codes(np.ascontiguousarray(wanted[..., own]), scales, grid)
        followed = own[np.append(copies, 0)[own + 1] > number]
        if followed.size:
            error = wanted[..., followed] - dequantize_filters(codes[..., followed], scales)
            wanted[..., followed + 1] += error
    return codes


def _nearest_codes(filters: Float, scales: Float, grid: WeightGrid) -> npt.NDArray[np.int8]:
    if grid is WeightGrid.EVEN_TRIPLETS:
        return lattice.round_to_lattice(filters, scales)
    inverse = np.float32(1) / scales.reshape(-1, *([1] * (filters.ndim - 1)))
    codes = round_half_away(filters * inverse)
    return clipped(codes, -grid.limit, grid.limit).astype(np.int8)


def dequantize_filters(codes: npt.NDArray[np.int8], scales: Float) -> Float:
    """Real values of filter codes [K, ...] under scales [K]."""
    return codes.astype(np.float32) * scales.reshape(-1, *([1] * (codes.ndim - 1)))


def quantize_bias(
    bias: Float, input_scale: float, scales: Float
) -> tuple[npt.NDArray[np.int32], Float]:
    """Codes and scales of a bias [K]; the scale is input scale times filter scale."""
    bias_scales = np.float32(input_scale) * scales
    # float32 holds no integer above 2**24 exactly; the product itself is what MLIR rounds.
    codes = round_half_away(bias * (np.float32(1) / bias_scales))
    limit = np.float32(2**31 - 128)
    return np.clip(codes, -limit, limit).astype(np.int32), bias_scales
