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

from tflite_eq.numerics.grids import WeightGrid


class Target(enum.Enum):
    """CPU families with different kernel choices.

    ``X86_VNNI`` stands for Intel's server cores with AVX-512 VNNI, which have two such units. With
    one (client cores, AMD's Zen 4) the delegate keeps F(4x4,3x3) for wide layers with full tiles
    even where their weights are on the lattice: there 7 bits gain nothing and lose no speed.

    ``ARMV8_0`` stands for cores that issue in order, such as Cortex-A53. On Cortex-A72 the direct
    kernel is no faster than the runtime's, and 7 bits gain nothing.

    ``X86_AMX`` (Intel's server cores from Sapphire Rapids on) and ``ARMV9_SME2`` have units that
    multiply whole matrices, which the runtime's own kernels use: everything is left to them.

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
        by_position: Whether every tap reads whole vectors of channels, not all taps together.
    """

    multiply: float
    output: float
    gathered: float
    peer: float
    outputs: int
    by_position: bool


_DIRECT_INT7 = {
    Target.ARMV8_0: _DirectCosts(0.505, 32, 5, 11, 4, by_position=True),
    Target.X86_AVX2: _DirectCosts(0.52, 19, 2, 15, 16, by_position=False),
}
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
        # 3x3 stride 1 takes F(4x4,3x3) in int16 there, which is exact for 8-bit codes too.
        pays = _direct_int7_pays(geometry, _DIRECT_INT7[target])
        return geometry.groups == 1 and not geometry.is_winograd and pays
    return geometry.is_winograd


def _direct_int7_pays(geometry: ConvGeometry, costs: _DirectCosts) -> bool:
    """Whether the direct kernel is clearly faster than XNNPACK, for an output pixel."""
    taps, channels = geometry.kernel[0] * geometry.kernel[1], geometry.input_channels
    depth = taps * _up(channels, 16) if costs.by_position else _up(taps * channels, 16)
    outputs = _up(geometry.output_channels, costs.outputs)
    work = outputs * (costs.multiply * depth + costs.output) + costs.gathered * depth
    peer = geometry.output_channels * (taps * max(channels, 8) + costs.peer)
    return work <= (1 - _LEAST_SAVED_SHARE) * peer


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def weight_grid(geometry: ConvGeometry | None, target: Target, input_is_int7: bool) -> WeightGrid:
    """The weight grid of a linear operator; ``geometry`` is ``None`` for all but CONV_2D."""
    if not input_is_int7:
        return WeightGrid.INT8
    if geometry is not None and target.has_dot_product and gains_from_int7(geometry, target):
        return WeightGrid.EVEN_TRIPLETS
    return WeightGrid.INT7
