"""Which convolutions gain from a 7-bit input on which CPU.

The table restates the delegate's kernel policy, delegate/kernels/plan.h, and
tests/delegate/test_policy.py holds the two together: a 7-bit input and the even-triplet lattice let
the 1-D F(2,3) Winograd kernel run on 8-bit dot products; on ARMv8.0 and on AVX2 without VNNI a
7-bit input lets four or eight products share one int16 lane in the direct kernel. Everywhere else 7
bits cost accuracy and buy nothing. Depthwise convolutions gain too little by it: on ARMv8.0 eight
of some sixty instructions.
"""

from __future__ import annotations

import dataclasses
import enum
import math

from tflite_eq.numerics.grids import WeightGrid


class Target(enum.Enum):
    """CPU families with different kernel choices.

    ``X86_VNNI`` stands for Intel's server cores with AVX-512 VNNI, which have two such units. With
    one (client cores, AMD's Zen 4) the delegate keeps F(4x4,3x3) for wide layers with full tiles
    even where their weights are on the lattice: there 7 bits gain nothing and lose no speed.

    ``ARMV8_0`` stands for cores that issue in order, such as Cortex-A53. On Cortex-A72 the direct
    kernel is no faster than the runtime's, and 7 bits gain nothing.

    ``X86_AMX`` (Intel's server cores from Sapphire Rapids on) and ``ARMV9_SME2`` have units that
    multiply whole matrices, which the runtime's own kernels use: there is nothing for 7 bits to
    gain over them.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config(bits="auto", target="x86-vnni").target is tflite_eq.Target.X86_VNNI
        True
    """

    GENERIC = "generic"
    ARMV8_0 = "armv8.0"
    ARMV8_2_DOTPROD = "armv8.2-dotprod"
    ARMV8_6_I8MM = "armv8.6-i8mm"
    ARMV9_SME2 = "armv9-sme2"
    X86_AVX2 = "x86-avx2"
    X86_VNNI = "x86-vnni"
    X86_AMX = "x86-amx"

    @property
    def has_dot_product(self) -> bool:
        """Whether 8-bit dot products make the 1-D int8 Winograd kernel worthwhile."""
        return self in (Target.ARMV8_2_DOTPROD, Target.ARMV8_6_I8MM, Target.X86_VNNI)


# With fewer channels XNNPACK is as fast.
_FEWEST_CHANNELS = {
    Target.ARMV8_0: 16,
    Target.X86_AVX2: 16,
    Target.ARMV8_2_DOTPROD: 64,
    Target.ARMV8_6_I8MM: 64,
    Target.X86_VNNI: 32,
}


@dataclasses.dataclass(frozen=True)
class _DirectCosts:
    """What ``direct_int7`` takes, in multiplications of XNNPACK: cpu_profile.h.

    Attributes:
        multiply: A multiplication.
        output: A value that is written.
        gathered: A value that is gathered under the filter of an output.
        peer: What XNNPACK takes for a value that it writes.
        outputs: Output channels that are computed at a time.
        is_neon: Whether every tap reads whole vectors of channels, or every row where channels are
            few, and begins a loop of its own; not all taps together.
    """

    multiply: float
    output: float
    gathered: float
    peer: float
    outputs: int
    is_neon: bool


_DIRECT_INT7 = {
    Target.ARMV8_0: _DirectCosts(0.48, 36, 2, 11, 4, is_neon=True),
    Target.X86_AVX2: _DirectCosts(0.52, 19, 2, 15, 16, is_neon=False),
}
# F(4x4,3x3) on ARMv8.0 for a tile: a product of channels, and a channel.
_F43_MULTIPLY, _F43_TRANSFORM = 40, 437
_BYTE = 2  # fetched from memory, on ARMv8.0
_FIXED = 5e4  # of a layer with F(4x4,3x3)
_HELD_WEIGHTS = 384 * 1024  # by a second-level cache
_HELD_PLANES = 16 * 1024
_LEAST_SAVED_SHARE = 0.08


@dataclasses.dataclass(frozen=True)
class ConvGeometry:
    """What the policy looks at in a CONV_2D.

    Attributes:
        kernel: Filter height and width.
        stride: Vertical and horizontal stride.
        dilation: Vertical and horizontal dilation.
        input_channels: Channels of one filter.
        output_channels: Number of filters.
        output_size: Height and width of the output.
        groups: Number of filter groups.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    input_channels: int
    output_channels: int
    output_size: tuple[int, int]
    groups: int = 1

    @property
    def is_winograd(self) -> bool:
        """Whether the Winograd kernels apply: 3x3, stride 1, dilation 1, one group."""
        return (
            self.kernel == (3, 3)
            and self.stride == (1, 1)
            and self.dilation == (1, 1)
            and self.groups == 1
        )


def gains_from_int7(geometry: ConvGeometry, target: Target) -> bool:
    """Whether the delegate runs this convolution faster when its input codes are 7-bit."""
    fewest_channels = _FEWEST_CHANNELS.get(target)
    if fewest_channels is None:
        return False
    if min(geometry.input_channels, geometry.output_channels) < fewest_channels:
        return False
    if target in _DIRECT_INT7:
        return geometry.groups == 1 and _direct_int7_pays(geometry, _DIRECT_INT7[target])
    return geometry.is_winograd


def _direct_int7_pays(geometry: ConvGeometry, costs: _DirectCosts) -> bool:
    """Whether it is clearly faster than XNNPACK, and than F(4x4,3x3), which takes 8-bit codes."""
    taps = geometry.kernel[0] * geometry.kernel[1]
    values = geometry.output_channels * math.prod(geometry.output_size)
    peer = values * (taps * max(geometry.input_channels, 8) + costs.peer)
    saved = peer - _direct_int7_work(geometry, costs)
    if saved < _LEAST_SAVED_SHARE * peer:
        return False
    if not geometry.is_winograd:
        return True
    weights = taps * geometry.input_channels * geometry.output_channels
    if not costs.is_neon:
        return False
    winograd_saved = _saved_by_f43(geometry, peer)
    if winograd_saved is None:
        return True
    return weights <= _HELD_WEIGHTS and saved > winograd_saved


def _direct_int7_work(geometry: ConvGeometry, costs: _DirectCosts) -> float:
    """What ``direct_int7`` takes for a layer."""
    (height, width), channels = geometry.kernel, geometry.input_channels
    gathered, output, passes = costs.gathered, costs.output, 0.0
    pixels = math.prod(geometry.output_size)
    outputs = _up(geometry.output_channels, costs.outputs)
    if not costs.is_neon:
        depth = _up(height * width * channels, 16)
    else:
        is_folded = width > 1 and geometry.dilation[1] == 1 and width * channels <= 32
        depth = height * (_up(width * channels, 16) if is_folded else width * _up(channels, 16))
        gathered *= 2.5 if is_folded else 1
        output *= 1 + 0.2 * (height - 1)
        if depth * outputs > _HELD_WEIGHTS:
            rows, most = geometry.output_size[0], _HELD_PLANES / (depth * geometry.output_size[1])
            passes = math.ceil(rows / min(max(int(most), 1), rows)) * depth * outputs * _BYTE
    return (
        pixels * (costs.multiply * depth * outputs + output * outputs + gathered * depth) + passes
    )


def _saved_by_f43(geometry: ConvGeometry, peer: float) -> float | None:
    """What F(4x4,3x3) saves on ARMv8.0; ``None`` if it is not clearly faster than XNNPACK."""
    inputs, outputs = _up(geometry.input_channels, 16), _up(geometry.output_channels, 16)
    tiles = math.prod(_up(size, 4) // 4 for size in geometry.output_size)
    work = tiles * (_F43_MULTIPLY * inputs * outputs + _F43_TRANSFORM * (inputs + outputs)) + _FIXED
    scratch = min(tiles * 36 * (2 * inputs + 4 * 32), 512 * 1024)
    weights = 36 * 2 * inputs * outputs + scratch
    more = max(weights - 9 * geometry.input_channels * geometry.output_channels, 0)
    fetch = more * _BYTE
    if work > (1 - _LEAST_SAVED_SHARE) * peer or work + fetch > peer:
        return None
    # Of what a second-level cache would hold, other layers leave a part in place.
    return peer - work - (fetch if weights > 2 * 1024 * 1024 else fetch / 2)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def weight_grid(geometry: ConvGeometry | None, target: Target, input_is_int7: bool) -> WeightGrid:
    """The weight grid of a linear operator; ``geometry`` is ``None`` for all but CONV_2D."""
    if not input_is_int7:
        return WeightGrid.INT8
    if geometry is not None and target.has_dot_product and gains_from_int7(geometry, target):
        return WeightGrid.EVEN_TRIPLETS
    return WeightGrid.INT7
