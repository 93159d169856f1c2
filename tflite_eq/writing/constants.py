"""Codes of a network's constants: filters, biases, and operands of elementwise operators."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, round_half_away
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import recorded_filters

# A constant without any range; as a scale float32 and every kernel can hold it.
_LEAST_RANGE = np.float32(1e-6)


@dataclasses.dataclass(frozen=True)
class Codes:
    """A quantized constant.

    Attributes:
        values: The codes, int8 or int32, in the layout that the flatbuffer stores.
        scales: Real units per code: one, or one per slice along ``axis``.
        zero_point: Code of the real 0.
        axis: Axis of the slices.
    """

    values: npt.NDArray[Any]
    scales: npt.NDArray[np.float32]
    zero_point: int = 0
    axis: int = 0


def filter_and_bias(
    layer: LinearLayer, record: LayerRecord, input_scale: float, output_scale: float
) -> list[Codes]:
    """What a layer's record makes of its filter and its bias.

    Args:
        layer: The layer.
        record: Its record.
        input_scale: Scale of the activation that it reads.
        output_scale: Scale of what it writes, which copies of channels are shifted by parts of.

    Returns:
        Filter and bias. Their scales are one per output channel, or a single one if the record has
        but one.
    """
    filters = recorded_filters(layer, record)
    bias = layer.bias_values
    if record.bias_correction:
        bias = bias + np.asarray(record.bias_correction, np.float32)
    if layer.shifts is not None:
        bias = bias + layer.shifts * np.float32(output_scale)
    scales = filters.scales * np.float32(record.gain)
    bias_codes, bias_scales = weights.quantize_bias(bias, input_scale, scales)
    stored = slice(len(record.scales))  # all of one scale per tensor are the same
    axis = properties.OUTPUT_CHANNEL_AXIS[layer.kind]
    return [
        Codes(layer.stored_filters(filters.codes), scales[stored], axis=axis),
        Codes(bias_codes, bias_scales[stored]),
    ]


def computed_filter_bias(
    values: npt.NDArray[np.float32], input_scale: float, filter_scale: float
) -> Codes:
    """The bias [K] of a dense layer whose filter is an activation with a single scale."""
    scales = np.full(len(values), filter_scale, np.float32)
    codes, bias_scales = weights.quantize_bias(values, input_scale, scales)
    return Codes(codes, bias_scales[:1])


def operand(
    values: npt.NDArray[np.float32], params: AffineParams | None, symmetric: bool = False
) -> Codes:
    """A constant that an operator computes with as with an activation.

    Args:
        values: The constant.
        params: Scale and zero point; the least that hold its values and 0 if None.
        symmetric: Whether the zero point must be 0 then.
    """
    if params is None:
        params = symmetric_range(values) if symmetric else full_range(values)
    exact = values.astype(np.float64) / params.scale + params.zero_point
    nearest = np.where(exact < params.zero_point, np.ceil(exact - 0.5), np.floor(exact + 0.5))
    codes = np.clip(nearest, INT8_MIN, INT8_MAX).astype(np.int8)
    return Codes(codes, np.array([params.scale], np.float32), params.zero_point)


def full_range(values: npt.NDArray[np.float32]) -> AffineParams:
    """The finest scale under which int8 holds all values and 0, in float32 as TensorFlow does."""
    low, high = np.min(values, initial=np.float32(0)), np.max(values, initial=np.float32(0))
    levels = np.float32(INT8_MAX - INT8_MIN)
    if high - low < _LEAST_RANGE:
        return AffineParams(float(_LEAST_RANGE / levels), 0)
    scale = (high - low) / levels
    zero_point = round_half_away(np.array([INT8_MIN - low / scale], np.float32))[0]
    return AffineParams(float(scale), int(np.clip(zero_point, INT8_MIN, INT8_MAX)))


def symmetric_range(values: npt.NDArray[np.float32]) -> AffineParams:
    """The finest scale under which int8 holds all values and their negatives."""
    largest = float(np.max(np.abs(values), initial=_LEAST_RANGE))
    return AffineParams(largest / INT8_MAX, 0)
