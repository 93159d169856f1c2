"""Gathering what reconstruction needs to know of a layer, over all samples."""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.linear import LinearLayer
from tflite_eq.reconstruction.moments import Float, Moments
from tflite_eq.search.rows import gather_rows, output_pixels, supports_rows
from tflite_eq.simulation.twins import TwinActivations

# Elements of a Gram matrix: those of a 3x3 convolution of 640 channels. Larger ones, as dense
# layers behind a flattened image have them, would not fit the memory that the rest needs.
MAX_GRAM_ELEMENTS = 5760**2

# Multiply-accumulates that a layer's Gram matrix may cost; with more rows a random subset is used.
_WORK = 100_000_000_000

# Elements of one block of rows.
_BLOCK_ELEMENTS = 1 << 22


def can_gather_moments(layer: LinearLayer) -> bool:
    """Whether the layer has rows, and a Gram matrix that is not too large."""
    depth = layer.filters[0].size
    return supports_rows(layer) and layer.groups * depth**2 <= MAX_GRAM_ELEMENTS


def layer_moments(layer: LinearLayer, twins: TwinActivations, seed: int) -> list[Moments]:
    """Moments of the layer's quantized inputs and FP32 pre-activation outputs.

    Args:
        layer: The layer; ``can_gather_moments`` must hold, and the networks hold its input and the
            FP32 pre-activation output.
        twins: Activations of both networks.
        seed: Chooses the rows where there are too many.

    Returns:
        Moments over the samples of even and of odd number; of the only sample, if it is one.
    """
    rng = np.random.default_rng([seed, layer.operator.index, 1])
    depth = layer.filters[0].size
    per_sample = max(1, _WORK // (layer.groups * depth**2 * twins.samples))
    block = max(1, _BLOCK_ELEMENTS // (layer.groups * depth))
    folds: list[Moments] = []
    for sample in range(twins.samples):
        values = twins.quantized_values(layer.input, sample)
        outputs = twins.float_values(layer.output, sample).reshape(-1, layer.channels)
        outputs = outputs - layer.bias_values
        positions = np.arange(int(np.prod(output_pixels(layer, values.shape), dtype=np.int64)))
        count = min(len(positions), per_sample)
        if twins.shares is not None:  # a sample that counts less gives fewer rows
            count = round(twins.shares[sample] * count)
        if len(positions) > count:
            positions = np.sort(rng.choice(positions, count, replace=False, shuffle=False))
        for start in range(0, len(positions), block):
            chosen = positions[start : start + block]
            x = gather_rows(layer, values, chosen)
            y = _grouped_outputs(layer, outputs[chosen])
            if not folds:
                origins = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
                folds = [Moments(*origins) for _ in range(min(2, twins.samples))]
            folds[sample % 2].update(x, y)
    return folds


def _grouped_outputs(layer: LinearLayer, outputs: Float) -> Float:
    """Outputs [rows, K] as [groups, rows, K / groups]."""
    split = outputs.reshape(len(outputs), layer.groups, -1)
    return np.ascontiguousarray(split.transpose(1, 0, 2))
