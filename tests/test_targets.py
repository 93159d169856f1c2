"""The policy table of the delegate, written out."""

from __future__ import annotations

import dataclasses

import pytest

from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.targets import ConvGeometry, Target, gains_from_int7, weight_grid

WINOGRAD = ConvGeometry(
    kernel=(3, 3),
    stride=(1, 1),
    dilation=(1, 1),
    input_channels=64,
    output_channels=64,
    output_size=(56, 56),
)
STEM = dataclasses.replace(WINOGRAD, input_channels=3, output_channels=32, output_size=(224, 224))
SMALL = dataclasses.replace(WINOGRAD, input_channels=128, output_channels=128, output_size=(14, 14))
MANY = dataclasses.replace(WINOGRAD, input_channels=256, output_channels=256)
POINTWISE = dataclasses.replace(WINOGRAD, kernel=(1, 1))
STRIDED = dataclasses.replace(WINOGRAD, stride=(2, 2))
STRIDED_ONE_WAY = dataclasses.replace(WINOGRAD, stride=(1, 2))
DILATED = dataclasses.replace(WINOGRAD, dilation=(2, 2))
GROUPED = dataclasses.replace(WINOGRAD, groups=2)
FIVE = dataclasses.replace(WINOGRAD, kernel=(5, 5))
FLAT = dataclasses.replace(WINOGRAD, kernel=(1, 3))

CASES = {
    "winograd": WINOGRAD, "stem": STEM, "small": SMALL, "many": MANY,
    "pointwise": POINTWISE, "strided": STRIDED, "strided one way": STRIDED_ONE_WAY,
    "dilated": DILATED, "grouped": GROUPED, "5x5": FIVE, "1x3": FLAT,
}  # fmt: skip

# A layer of few channels is as fast with XNNPACK.
ENOUGH_CHANNELS = {"winograd", "small", "many"}
DOT_PRODUCT = {
    Target.ARMV8_2_DOTPROD: ENOUGH_CHANNELS,
    Target.ARMV8_6_I8MM: ENOUGH_CHANNELS,
    Target.X86_VNNI: ENOUGH_CHANNELS,
}

# F(4x4,3x3) in int16 is exact for 8 bits; the direct 7-bit kernel serves the rest.
DIRECT = {"pointwise", "strided", "strided one way", "dilated", "5x5", "1x3"}

GAINS: dict[Target, set[str]] = {
    Target.GENERIC: set(),
    Target.X86_AVX2: DIRECT,
    # The runtime's kernels use matrix units, which outrun anything done with vectors.
    Target.X86_AMX: set(),
    Target.ARMV9_SME2: set(),
    Target.ARMV8_0: DIRECT,
    **DOT_PRODUCT,
}


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("case", sorted(CASES))
def test_which_convolutions_gain(case: str, target: Target) -> None:
    assert gains_from_int7(CASES[case], target) == (case in GAINS[target])


@pytest.mark.parametrize("target", Target)
def test_eight_bit_inputs_leave_weights_alone(target: Target) -> None:
    for geometry in (*CASES.values(), None):
        assert weight_grid(geometry, target, input_is_int7=False) is WeightGrid.INT8


@pytest.mark.parametrize("target", Target)
def test_lattice_where_the_one_dimensional_kernel_runs(target: Target) -> None:
    for case, geometry in CASES.items():
        on_lattice = weight_grid(geometry, target, True) is WeightGrid.EVEN_TRIPLETS
        assert on_lattice == (case in DOT_PRODUCT.get(target, set()))
    assert weight_grid(None, target, input_is_int7=True) is WeightGrid.INT7


def test_limits_of_the_grids() -> None:
    assert {grid: grid.limit for grid in WeightGrid} == {
        WeightGrid.INT8: 127,
        WeightGrid.INT7: 63,
        WeightGrid.INT6: 31,
        WeightGrid.INT5: 15,
        WeightGrid.EVEN_TRIPLETS: 127,
    }
