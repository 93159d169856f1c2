"""TFLite's int8 convolution in exact integers: what the oracle (``BUILTIN_REF``) computes.

The twin of ``delegate/kernels/reference.cc`` and ``requantize.h``; both are held to the golden
vectors in ``tests/golden``.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN

Int32s = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int8]

_ACTIVATION_BOUNDS = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class IntegerConv:
    """A convolution of int8 codes.

    Attributes:
        filter: Weights of shape [K, height, width, C], zero point 0.
        bias: One int32 per output channel.
        multiplier: One per output channel; see ``quantize_multiplier``.
        shift: One per output channel.
        input_zero_point: Zero point of the input, which padding reads as.
        output_zero_point: Zero point of the output.
        activation_range: Smallest and largest output code; see ``activation_range``.
        padding: ``same`` or ``valid``.
        stride: Vertical and horizontal stride.
        dilation: Vertical and horizontal dilation.
    """

    filter: Codes
    bias: Int32s
    multiplier: Int32s
    shift: Int32s
    input_zero_point: int
    output_zero_point: int
    activation_range: tuple[int, int] = (INT8_MIN, INT8_MAX)
    padding: str = "same"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    def accumulators(self, codes: Codes) -> Int32s:
        """Sums of ``(code - zero point) * weight`` plus bias, modulo 2^32.

        Args:
            codes: Input of shape [N, H, W, C].

        Returns:
            Shape [N, H', W', K].
        """
        _, height, width, _ = self.filter.shape
        centred = codes.astype(np.int64) - self.input_zero_point
        rows, top, below = _axis(
            codes.shape[1], height, self.stride[0], self.dilation[0], self.padding
        )
        columns, left, right = _axis(
            codes.shape[2], width, self.stride[1], self.dilation[1], self.padding
        )
        padded = np.pad(centred, ((0, 0), (top, below), (left, right), (0, 0)))
        sums = np.zeros((len(codes), rows, columns, len(self.filter)), np.int64)
        for y in range(height):
            for x in range(width):
                down, across = y * self.dilation[0], x * self.dilation[1]
                window = padded[
                    :,
                    down : down + rows * self.stride[0] : self.stride[0],
                    across : across + columns * self.stride[1] : self.stride[1],
                ]
                sums += window @ self.filter[:, y, x].astype(np.int64).T
        return (sums + self.bias).astype(np.int32)  # wraps, as the oracle's int32 does

    def __call__(self, codes: Codes) -> Codes:
        """Output codes of shape [N, H', W', K] for input codes of shape [N, H, W, C]."""
        scaled = multiply_by_quantized_multiplier(
            self.accumulators(codes), self.multiplier, self.shift
        )
        low, high = self.activation_range
        return np.clip(scaled.astype(np.int64) + self.output_zero_point, low, high).astype(np.int8)


def effective_scale(input_scale: float, weight_scale: float, output_scale: float) -> float:
    """The real factor between accumulators and output codes, from float32 scales."""
    first, second, divisor = (
        float(np.float32(scale)) for scale in (input_scale, weight_scale, output_scale)
    )
    return first * second / divisor


def quantize_multiplier(scale: float) -> tuple[int, int]:
    """The fixed-point form of a real factor.

    Args:
        scale: In [0, 2^30).

    Returns:
        ``(multiplier, shift)`` with ``scale ~ multiplier * 2**(shift - 31)``; the multiplier is in
        [2^30, 2^31), or 0 for factors too small to matter.
    """
    if scale == 0:
        return 0, 0
    mantissa, shift = math.frexp(scale)
    multiplier = math.floor(mantissa * 2**31 + 0.5)  # exact: 53 bits of mantissa, 31 of integer
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def multiply_by_quantized_multiplier(
    accumulators: Int32s, multiplier: Int32s, shift: Int32s
) -> Int32s:
    """Accumulators times fixed-point scales, rounded twice.

    SaturatingRoundingDoublingHighMul rounds halves up, RoundingDivideByPOT away from zero. The
    arguments broadcast: per-channel scales apply to the last axis.
    """
    left = np.maximum(shift, 0).astype(np.int64)
    right = np.maximum(-shift.astype(np.int64), 0)
    wrapped = (accumulators.astype(np.int64) << left).astype(np.int32).astype(np.int64)
    high = (wrapped * multiplier + (1 << 30)) >> 31
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    rounded: Int32s = ((high >> right) + ((high & mask) > threshold)).astype(np.int32)
    return rounded


def activation_range(
    activation: str, output_scale: float, output_zero_point: int
) -> tuple[int, int]:
    """Codes that a fused activation function, given by its schema name, lets through.

    Raises:
        ValueError: TFLite's int8 kernels know no such fused activation.
    """
    if activation not in _ACTIVATION_BOUNDS:
        raise ValueError(f"no int8 kernel fuses the activation function {activation}")
    low, high = _ACTIVATION_BOUNDS[activation]

    def code(bound: float) -> int:
        quotient = np.float32(bound) / np.float32(output_scale)
        nearest = math.copysign(math.floor(abs(float(quotient)) + 0.5), float(quotient))
        return int(np.clip(output_zero_point + nearest, INT8_MIN, INT8_MAX))

    return (
        INT8_MIN if low is None else code(low),
        INT8_MAX if high is None else code(high),
    )


def _axis(size: int, taps: int, stride: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """Output size, padding before and padding after along one axis, as TFLite has them."""
    reach = (taps - 1) * dilation + 1
    outputs = -(-size // stride) if padding == "same" else -(-(size - reach + 1) // stride)
    total = max((outputs - 1) * stride + reach - size, 0)
    return outputs, total // 2, total - total // 2
