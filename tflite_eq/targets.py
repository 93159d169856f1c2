"""Which convolutions gain from a 7-bit input on which CPU.

The table restates the delegate's kernel policy, delegate/kernels/plan.h, and
tests/delegate/test_policy.py holds the two together: a 7-bit input and the even-triplet lattice let
the 1-D F(2,3) Winograd kernel run on 8-bit dot products; on ARMv8.0 a 7-bit input lets eight
products share one int16 lane in the direct kernel. Everywhere else 7 bits cost accuracy and buy
nothing.
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

    ``X86_AMX`` (Intel's server cores from Sapphire Rapids on) and ``ARMV9_SME2`` have units that
    multiply whole matrices, which the runtime's own kernels use: everything is left to them.
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


# With fewer channels XNNPACK is as fast; direct_int7 reads input channels by sixteens.
_FEWEST_CHANNELS = {
    Target.ARMV8_0: 16,
    Target.ARMV8_2_DOTPROD: 32,
    Target.ARMV8_6_I8MM: 64,
    Target.X86_VNNI: 32,
}
_FEWEST_INT7_CHANNELS = 64
_LEAST_INT7_CHANNEL_USE = 0.8


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
    if target is Target.ARMV8_0:
        # 3x3 stride 1 takes F(4x4,3x3) in int16 there, which is exact for 8-bit codes too.
        read = -(-geometry.input_channels // 16) * 16
        fewest = max(_FEWEST_INT7_CHANNELS, _LEAST_INT7_CHANNEL_USE * read)
        return (
            geometry.groups == 1 and not geometry.is_winograd and geometry.input_channels >= fewest
        )
    return geometry.is_winograd


def weight_grid(geometry: ConvGeometry | None, target: Target, input_is_int7: bool) -> WeightGrid:
    """The weight grid of a linear operator; ``geometry`` is ``None`` for all but CONV_2D."""
    if not input_is_int7:
        return WeightGrid.INT8
    if geometry is not None and target.has_dot_product and gains_from_int7(geometry, target):
        return WeightGrid.EVEN_TRIPLETS
    return WeightGrid.INT7
