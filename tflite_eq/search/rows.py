"""Sampled im2col rows: the inputs of a linear layer at a few output positions.

The search compares outputs at these positions only, so that one candidate costs one matrix
product instead of one convolution over every calibration image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.graph.linear import LinearLayer, is_same_padding, padding_before
from tflite_eq.graph.properties import LinearKind

Float = npt.NDArray[np.float32]


def supports_rows(layer: LinearLayer) -> bool:
    """Whether rows can be gathered for this kind of layer."""
    return layer.kind is not LinearKind.TRANSPOSE


def grouped_filters(layer: LinearLayer, filters: Float) -> Float:
    """Filters [K, ...] as [groups, K / groups, D], D in the order of ``gather_rows``."""
    return filters.reshape(layer.groups, layer.channels // layer.groups, -1)


def output_pixels(layer: LinearLayer, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape [N, OH, OW] of the layer's output without channels (dense: [rows])."""
    if layer.kind is LinearKind.DENSE:
        return (int(np.prod(input_shape, dtype=np.int64)) // layer.filters.shape[1],)
    options = layer.operator.options
    strides = (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    sizes = []
    for axis in (0, 1):
        size = input_shape[1 + axis]
        if not is_same_padding(layer.operator):
            size -= (layer.filters.shape[1 + axis] - 1) * dilations[axis]
        sizes.append(-(-size // strides[axis]))
    return (input_shape[0], *sizes)


def row_positions(
    layer: LinearLayer, input_shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Sorted flat positions of at most ``count`` output pixels (dense: rows), each once."""
    available = int(np.prod(output_pixels(layer, input_shape), dtype=np.int64))
    if available <= count:
        return np.arange(available)
    return np.sort(rng.choice(available, count, replace=False, shuffle=False))


def gather_rows(layer: LinearLayer, values: Float, positions: npt.NDArray[np.int64]) -> Float:
    """Inputs of the layer at some output positions.

    Args:
        layer: The layer; ``supports_rows`` must hold.
        values: One sample of its input, [N, H, W, C] (dense: [..., C]).
        positions: Flat indices into ``output_pixels``.

    Returns:
        [groups, positions, D]; multiplying by ``grouped_filters`` gives the layer's output
        without bias.
    """
    if layer.kind is LinearKind.DENSE:
        return values.reshape(-1, layer.filters.shape[1])[positions][np.newaxis]
    options = layer.operator.options
    kernel = layer.filters.shape[1:3]
    stride = (options.strideH, options.strideW)
    dilation = (options.dilationHFactor, options.dilationWFactor)
    same = is_same_padding(layer.operator)
    pixels = output_pixels(layer, values.shape)
    if kernel == (1, 1) and layer.groups == 1:  # no two windows overlap, nothing is padded
        batch, y, x = np.unravel_index(positions, pixels)
        chosen: Float = values[batch, y * stride[0], x * stride[1]]
        return chosen[np.newaxis]
    batch, *corners = np.unravel_index(positions, pixels)
    at, is_inside = [], []
    for axis, corner in enumerate(corners):
        size = values.shape[1 + axis]
        before, _ = padding_before(
            size, pixels[1 + axis], kernel[axis], stride[axis], dilation[axis], same
        )
        taps = corner[:, None] * stride[axis] - before + np.arange(kernel[axis]) * dilation[axis]
        at.append(taps.clip(0, size - 1))
        is_inside.append(at[-1] == taps)
    patches = values[batch[:, None, None], at[0][:, :, None], at[1][:, None, :]]
    patches[~(is_inside[0][:, :, None] & is_inside[1][:, None, :])] = 0
    count, height, width, channels = patches.shape
    grouped = patches.reshape(count, height * width, layer.groups, channels // layer.groups)
    return np.ascontiguousarray(np.moveaxis(grouped, 2, 0)).reshape(layer.groups, count, -1)
