"""Makes ``integer_conv.txt`` and ``integer_depthwise.txt``: seeded convolutions, and what TFLite's
reference kernels answer.

python -m tests.golden.make_vectors
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tests.delegate.oracle import reference_output
from tests.golden.vectors import DEPTHWISE_PATH, PATH, Case, write

# name, input [n, h, w, c], filter [k, h, w], and what is not as usual
_CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("plain", (1, 8, 8, 4), (5, 3, 3), {}),
    ("odd_sizes", (1, 7, 5, 3), (4, 3, 3), {}),
    ("valid", (1, 9, 6, 3), (4, 3, 3), {"padding": "valid"}),
    ("smaller_than_a_tile", (1, 1, 2, 5), (3, 3, 3), {}),
    ("batch", (3, 4, 5, 3), (3, 3, 3), {}),
    ("stride", (1, 9, 8, 3), (4, 3, 3), {"stride": (2, 2)}),
    ("uneven_stride", (1, 9, 8, 3), (4, 3, 3), {"stride": (3, 2), "padding": "valid"}),
    ("dilation", (1, 9, 9, 2), (4, 3, 3), {"dilation": (2, 3)}),
    ("pointwise", (1, 4, 4, 9), (7, 1, 1), {}),
    ("five_by_two", (1, 7, 6, 2), (3, 5, 2), {}),
    ("relu", (1, 6, 6, 4), (6, 3, 3), {"activation": "RELU"}),
    ("relu6", (1, 6, 6, 4), (6, 3, 3), {"activation": "RELU6"}),
    ("relu_n1_to_1", (1, 6, 6, 4), (6, 3, 3), {"activation": "RELU_N1_TO_1"}),
    ("per_tensor", (1, 6, 6, 4), (5, 3, 3), {"per_tensor": True}),
    ("extremes", (1, 6, 6, 8), (4, 3, 3), {"values": "extremes"}),
    ("even_triplets", (1, 8, 7, 6), (5, 3, 3), {"values": "even_triplets"}),
    ("even_triplets_outside", (1, 8, 7, 6), (5, 3, 3), {"values": "even_triplets", "wide": True}),
    ("seven_bit", (1, 8, 7, 6), (5, 3, 3), {"values": "seven_bit"}),
    ("coarse_output", (1, 6, 6, 4), (4, 3, 3), {"output_factor": 500.0}),
    ("fine_output", (1, 6, 6, 4), (4, 3, 3), {"output_factor": 3e-5}),
    ("no_output", (1, 4, 4, 2), (3, 3, 3), {"output_factor": 1e14}),
    ("large_bias", (1, 6, 6, 4), (4, 3, 3), {"bias": 2**30}),
]

# The same of depthwise ones: name, input [n, h, w, c], filter [multiplier, h, w].
_DEPTHWISE_CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("depthwise", (1, 8, 8, 5), (1, 3, 3), {}),
    ("depthwise_more_than_a_vector", (1, 5, 6, 37), (1, 3, 3), {"activation": "RELU6"}),
    ("depthwise_valid", (1, 9, 6, 3), (1, 3, 3), {"padding": "valid"}),
    ("depthwise_batch", (3, 4, 5, 3), (1, 3, 3), {}),
    ("depthwise_stride", (1, 9, 8, 6), (1, 3, 3), {"stride": (2, 2)}),
    ("depthwise_even_stride", (1, 8, 8, 6), (1, 3, 3), {"stride": (2, 2), "activation": "RELU"}),
    ("depthwise_dilation", (1, 9, 9, 4), (1, 3, 3), {"dilation": (2, 2)}),
    ("depthwise_wide_dilation", (1, 9, 9, 4), (1, 3, 3), {"dilation": (4, 4)}),
    ("depthwise_five", (1, 8, 9, 6), (1, 5, 5), {"activation": "RELU"}),
    ("depthwise_five_stride", (1, 9, 9, 6), (1, 5, 5), {"stride": (2, 2)}),
    ("depthwise_three_by_one", (1, 7, 6, 4), (1, 3, 1), {}),
    ("depthwise_seven", (1, 9, 9, 3), (1, 7, 7), {}),
    ("depthwise_multiplier", (1, 6, 6, 3), (2, 3, 3), {}),
    ("depthwise_large_multiplier", (1, 6, 7, 1), (19, 3, 3), {"stride": (2, 2)}),
    ("depthwise_pointwise", (1, 4, 4, 9), (1, 1, 1), {}),
    ("depthwise_per_tensor", (1, 6, 6, 5), (1, 3, 3), {"per_tensor": True}),
    ("depthwise_extremes", (1, 6, 6, 8), (1, 3, 3), {"values": "extremes"}),
    ("depthwise_seven_bit", (1, 8, 7, 6), (1, 3, 3), {"values": "seven_bit"}),
    ("depthwise_seven_bit_five", (1, 8, 7, 6), (1, 5, 5), {"values": "seven_bit"}),
    ("depthwise_coarse_output", (1, 6, 6, 4), (1, 3, 3), {"output_factor": 500.0}),
    ("depthwise_fine_output", (1, 6, 6, 4), (1, 3, 3), {"output_factor": 1e-4}),
    ("depthwise_large_bias", (1, 6, 6, 4), (1, 3, 3), {"bias": 2**30}),
]


def main() -> None:
    """Write the files."""
    write([_make(number, *case) for number, case in enumerate(_CASES)], PATH)
    depthwise = [_make(1000 + n, *case, depthwise=True) for n, case in enumerate(_DEPTHWISE_CASES)]
    write(depthwise, DEPTHWISE_PATH)


def _make(
    seed: int,
    name: str,
    shape: tuple[int, ...],
    filters: tuple[int, ...],
    unusual: dict[str, Any],
    *,
    depthwise: bool = False,
) -> Case:
    rng = np.random.default_rng([2006, seed])
    channels, outputs = shape[-1], filters[0]
    values = unusual.get("values", "int8")
    if depthwise:
        outputs *= channels
        weights = _weights((1, *filters[1:], outputs), values, rng)
        spread = np.sqrt(filters[1] * filters[2])
    else:
        weights = _weights((*filters, channels), values, rng)
        spread = np.sqrt(weights[0].size)
    window = (-128, 128) if values in ("int8", "extremes") or "wide" in unusual else (-64, 64)
    codes = rng.integers(*window, shape)
    if values == "extremes":
        codes = rng.choice([-128, 127], shape)
    zero_points = rng.integers(-64, 64, 2) if window == (-64, 64) else rng.integers(-128, 128, 2)
    scales = np.exp(rng.uniform(-6, -4, 1 if unusual.get("per_tensor") else outputs))
    input_scale = np.float32(rng.uniform(0.005, 0.2))
    spread = spread * 74 * 74 * scales.mean() * input_scale
    bias = unusual.get("bias", 20_000)
    case = Case(
        name=name,
        filter=weights.astype(np.int8),
        filter_scales=scales.astype(np.float32),
        bias=rng.integers(-bias, bias, outputs).astype(np.int32),
        input_scale=float(input_scale),
        input_zero_point=int(zero_points[0]),
        output_scale=float(np.float32(spread / 60 * unusual.get("output_factor", 1.0))),
        output_zero_point=int(zero_points[1]),
        activation=unusual.get("activation", "NONE"),
        padding=unusual.get("padding", "same"),
        stride=unusual.get("stride", (1, 1)),
        dilation=unusual.get("dilation", (1, 1)),
        input=codes.astype(np.int8),
        expected=np.zeros(0, np.int8),
        depth_multiplier=filters[0] if depthwise else 0,
    )
    return dataclasses.replace(case, expected=reference_output(case))


def _weights(shape: tuple[int, ...], values: str, rng: np.random.Generator) -> Any:
    if values == "extremes":
        return rng.choice([-127, 127], shape)
    if values == "seven_bit":
        return rng.integers(-63, 64, shape)
    weights = rng.integers(-127, 128, shape)
    while values == "even_triplets":
        sums, differences = weights.sum(axis=2), weights.sum(axis=2) - 2 * weights[:, :, 1]
        bad = (sums % 2 != 0) | (np.maximum(abs(sums), abs(differences)) > 254)
        if not bad.any():
            break
        weights = np.where(bad[:, :, np.newaxis], rng.integers(-127, 128, shape), weights)
    return weights


if __name__ == "__main__":
    main()
