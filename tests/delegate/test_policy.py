"""The selection policy seen from Python: one table in C++, one restatement, the delegate itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.delegate import every_operator, networks
from tflite_eq.delegate.claims import Claim
from tflite_eq.delegate.validate import validate
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.runtimes import available_runtimes
from tflite_eq.targets import ConvGeometry, Target, gains_from_int7, weight_grid

try:
    from tflite_eq.delegate.binding import kernels
    from tflite_eq.delegate.explain import cpu_of, explain
except BackendError as missing:
    pytest.skip(f"binding not built: {missing}", allow_module_level=True)

GEOMETRIES = [
    ConvGeometry(kernel, stride, dilation, inputs, outputs, size)
    for kernel, stride, dilation in [
        ((3, 3), (1, 1), (1, 1)),
        ((3, 3), (2, 2), (1, 1)),
        ((3, 3), (1, 1), (2, 2)),
        ((1, 1), (1, 1), (1, 1)),
        ((5, 5), (1, 1), (1, 1)),
    ]
    for inputs, outputs in [(3, 32), (16, 16), (32, 64), (64, 64), (128, 128), (256, 256)]
    for size in [(7, 7), (13, 13), (14, 14), (28, 28), (56, 56)]
]
# Taps of a horizontal triplet that no form of the one-dimensional kernel takes, and one on the
# lattice. Behind a ReLU 8-bit inputs have the zero point -128, 7-bit ones 0.
EIGHT_BITS, ON_LATTICE = (127, 126, 0), (40, 20, 40)

BEYOND_VECTORS = ("AMX", "SME", "AVX-VNNI")


def plan(geometry: ConvGeometry, taps: tuple[int, int, int], cpu: kernels.Cpu) -> kernels.Plan:
    height, width = geometry.kernel
    row = np.resize(np.array(taps, np.int8), width)
    shape = (geometry.output_channels, height, width, geometry.input_channels)
    filters = np.zeros(shape, np.int8)
    filters[:, :, :, : min(8, geometry.input_channels)] = row[:, np.newaxis]
    return kernels.Convolution(
        filters,
        None,
        np.full(len(filters), 2**30, np.int32),
        np.full(len(filters), -8, np.int32),
        input_size=(
            1,
            geometry.output_size[0] * geometry.stride[0],
            geometry.output_size[1] * geometry.stride[1],
        ),
        stride=geometry.stride,
        dilation=geometry.dilation,
        input_zero_point=-128 if taps == EIGHT_BITS else 0,
    ).plan(cpu)


def changes_the_kernel(geometry: ConvGeometry, cpu: kernels.Cpu) -> bool:
    plain, seven = (plan(geometry, taps, cpu) for taps in (EIGHT_BITS, ON_LATTICE))
    return seven.claim and (not plain.claim or seven.kernel != plain.kernel)


@pytest.mark.parametrize("target", list(Target))
def test_seven_bits_are_wanted_where_they_change_the_kernel(target: Target) -> None:
    cpu = cpu_of(target, vnni_units=2)
    for geometry in GEOMETRIES:
        gains = gains_from_int7(geometry, target)
        assert gains == changes_the_kernel(geometry, cpu), geometry


def test_with_one_vnni_unit_wide_layers_keep_their_kernel() -> None:
    cpu = cpu_of(Target.X86_VNNI, vnni_units=1)
    for geometry in GEOMETRIES:
        # Smaller outputs do not make up for fetching the weights of F(4x4,3x3).
        smallest = {64: 56, 128: 28, 256: 28}.get(
            min(geometry.input_channels, geometry.output_channels)
        )
        keeps = geometry.is_winograd and smallest is not None
        keeps = keeps and geometry.output_size[0] >= smallest
        gains = gains_from_int7(geometry, Target.X86_VNNI)
        assert changes_the_kernel(geometry, cpu) == (gains and not keeps), geometry
        if keeps:
            assert plan(geometry, ON_LATTICE, cpu).kernel == "winograd_f43"


@pytest.mark.parametrize("target", list(Target))
def test_lattice_weights_where_the_one_dimensional_kernel_runs(target: Target) -> None:
    cpu = cpu_of(target, vnni_units=2)
    for geometry in GEOMETRIES:
        lattice = weight_grid(geometry, target, input_is_int7=True) is WeightGrid.EVEN_TRIPLETS
        found = plan(geometry, ON_LATTICE, cpu)
        assert lattice == (found.claim and found.kernel == "winograd_1d"), geometry


def test_kernels_of_every_target() -> None:
    """The table of delegate/kernels/plan.h, for layers with many channels."""
    geometries = {
        "3x3": ConvGeometry((3, 3), (1, 1), (1, 1), 128, 128, (28, 28)),
        "1x1": ConvGeometry((1, 1), (1, 1), (1, 1), 128, 128, (28, 28)),
        "stride 2": ConvGeometry((3, 3), (2, 2), (1, 1), 128, 128, (28, 28)),
    }

    def names(target: Target, taps: tuple[int, int, int]) -> list[str | None]:
        plans = [plan(geometry, taps, cpu_of(target)) for geometry in geometries.values()]
        return [f"{p.kernel} {p.isa}" if p.claim else None for p in plans]

    none = [None, None, None]
    assert names(Target.GENERIC, EIGHT_BITS) == names(Target.GENERIC, ON_LATTICE) == none
    assert names(Target.ARMV8_0, EIGHT_BITS) == ["winograd_f43 neon", *["direct neon"] * 2]
    assert names(Target.ARMV8_0, ON_LATTICE) == ["winograd_f43 neon", *["direct_int7 neon"] * 2]
    for target, isa in [
        (Target.ARMV8_2_DOTPROD, "neon_dotprod"),
        (Target.ARMV8_6_I8MM, "neon_i8mm"),
    ]:
        assert names(target, ON_LATTICE) == [f"winograd_1d {isa}", None, None]
    assert names(Target.ARMV8_2_DOTPROD, EIGHT_BITS) == none
    assert names(Target.ARMV8_6_I8MM, EIGHT_BITS) == none
    # With two VNNI units, which cpu_of takes for granted.
    others = ["direct avx512_vnni"] * 2
    assert names(Target.X86_VNNI, ON_LATTICE) == ["winograd_1d avx512_vnni", *others]
    assert names(Target.X86_VNNI, EIGHT_BITS) == ["winograd_f43 avx512_vnni", *others]
    assert names(Target.X86_AVX2, EIGHT_BITS) == ["winograd_f43 avx2", *["direct avx2"] * 2]
    assert names(Target.X86_AVX2, ON_LATTICE) == ["winograd_f43 avx2", *["direct_int7 avx2"] * 2]


@pytest.mark.parametrize("kind", list(networks.CONFIGS))
def test_explain_says_what_the_delegate_does(kind: str) -> None:
    model = networks.quantized(kind)
    for isa in ("auto", "avx2", "scalar"):
        if isa != "auto" and not kernels.cpu_supports(isa):
            continue
        cpu = kernels.Cpu.detect()
        if isa != "auto":
            # Held to other instructions than XNNPACK: with AMX, say, that is faster still.
            cpu = kernels.Cpu(isa, peer=cpu.peer if cpu.peer in BEYOND_VECTORS else "")
        for threads in (1, 4):
            options = {"isa": isa, "num_threads": threads}
            real = validate(model, available_runtimes()[0], samples=1, options=options).claims
            assert explain(Graph.from_bytes(model), cpu, threads) == real


def test_explain_counts_the_cost_of_small_partitions() -> None:
    claims = explain(Graph.from_bytes(networks.quantized("int8")), cpu_of(Target.X86_AVX2), 64)
    assert not any(claim.claimed for claim in claims)
    assert any("a switch of delegates costs more" in claim.reason for claim in claims)


def test_explain_of_a_float_model() -> None:
    claims = explain(Graph.from_bytes(networks.float_network()), cpu_of(Target.X86_VNNI))
    assert claims[0] == Claim(0, "CONV_2D", claims[0].name, False, "input is float32, not int8")


def test_transposed_convolutions_are_claimed_where_they_were_measured() -> None:
    case = next(case for case in every_operator.cases() if case.kind == "TRANSPOSE_CONV")

    def claim(cpu: kernels.Cpu) -> Claim:
        claims = explain(Graph.from_bytes(case.model()), cpu)
        return next(one for one in claims if one.kind == case.kind)

    # XNNPACK takes 100 ns for each of 288 pixels, many times what its vectors take.
    amx = claim(kernels.Cpu("avx512_vnni", two_vnni_units=True, peer="AMX"))
    vnni = claim(kernels.Cpu("avx512_vnni", two_vnni_units=True))
    assert amx.claimed
    assert amx.saved_multiplications > 5e6
    assert amx.reason.startswith("direct on avx512_vnni: one convolution for each phase")
    assert not vnni.claimed
    # With one unit AMX was not measured, nor what AVX2 is worth beside it.
    for cpu in (
        kernels.Cpu("avx512_vnni", two_vnni_units=False, peer="AMX"),
        kernels.Cpu("avx2", peer="AMX"),
    ):
        left = claim(cpu)
        assert not left.claimed
        assert "not measured against XNNPACK with AMX" in left.reason
