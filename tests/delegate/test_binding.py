"""The compiled module against the Python reference, and the proofs behind the kernels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.golden import vectors
from tests.oracles import integer_conv
from tflite_eq.errors import BackendError

try:
    from tflite_eq.delegate.binding import kernels
except BackendError as missing:
    pytest.skip(f"binding not built: {missing}", allow_module_level=True)

CASES = vectors.read()


def convolution(case: vectors.Case, **changes: Any) -> kernels.Convolution:
    multiplier, shift = case.requantization()
    arguments: dict[str, Any] = {
        "filter": case.filter,
        "bias": case.bias,
        "multiplier": multiplier,
        "shift": shift,
        "input_size": case.input.shape[:3],
        "padding": case.padding,
        "stride": case.stride,
        "dilation": case.dilation,
        "input_zero_point": case.input_zero_point,
        "output_zero_point": case.output_zero_point,
        "activation_range": case.convolution().activation_range,
    }
    return kernels.Convolution(**{**arguments, **changes})


def case_named(name: str) -> vectors.Case:
    return next(case for case in CASES if case.name == name)


def plain(outputs: int, inputs: int, *, size: int = 8, weight: int = 1) -> kernels.Convolution:
    """A convolution whose weights are all the same."""
    return kernels.Convolution(
        np.full((outputs, 3, 3, inputs), weight, np.int8),
        None,
        np.full(outputs, 2**30, np.int32),
        np.full(outputs, -8, np.int32),
        input_size=(1, size, size),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_kernel_on_golden_vectors(case: vectors.Case) -> None:
    found = convolution(case)
    assert found.output_shape == case.expected.shape
    exact = []
    for kernel, isa in kernels.kernels():
        refusal = found.refusal(kernel, isa)
        if refusal is None and kernels.cpu_supports(isa):
            for threads in (1, 3):
                codes = found.run(case.input, kernel, isa, threads)
                np.testing.assert_array_equal(codes, case.expected, err_msg=f"{kernel} {isa}")
            exact.append(kernel)
        elif refusal is not None:
            with pytest.raises(ValueError, match=r"\w"):
                found.run(case.input, kernel, isa)
    assert {"reference", "direct"} <= set(exact)
    if case.name in ("even_triplets", "even_triplets_outside", "seven_bit"):
        assert "winograd_1d" in exact


def test_library_holds_scalar_kernels_of_every_algorithm() -> None:
    names = {"reference", "direct", "depthwise", "winograd_f43", "winograd_f23", "winograd_1d"}
    assert {kernel for kernel, isa in kernels.kernels() if isa == "scalar"} == names


def test_random_convolutions_equal_the_python_reference() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        outputs, inputs, height, width = (int(n) for n in rng.integers(1, 20, 4))
        filters = rng.integers(-63, 64, (outputs, 3, 3, inputs)).astype(np.int8)
        bias = rng.integers(-9000, 9000, outputs).astype(np.int32)
        pairs = [kernels.quantize_multiplier(float(s)) for s in rng.uniform(1e-5, 4e-3, outputs)]
        multiplier, shift = (np.array(v, np.int32) for v in zip(*pairs))
        zero_points = [int(z) for z in rng.integers(-64, 64, 2)]
        codes = rng.integers(-128, 128, (2, height, width, inputs)).astype(np.int8)
        reference = integer_conv.IntegerConv(filters, bias, multiplier, shift, *zero_points)
        tried = kernels.Convolution(
            filters,
            bias,
            multiplier,
            shift,
            input_size=(2, height, width),
            input_zero_point=zero_points[0],
            output_zero_point=zero_points[1],
        )
        expected = reference(codes)
        for kernel, isa in kernels.kernels():
            if kernel != "depthwise" and kernels.cpu_supports(isa):
                np.testing.assert_array_equal(
                    tried.run(codes, kernel, isa), expected, err_msg=f"{kernel} on {isa}"
                )


def test_requantization_equals_the_python_reference() -> None:
    rng = np.random.default_rng(0)
    edges = [0, 1, -1, 2**31 - 1, -(2**31), 2**30, -(2**30)]
    accumulators = np.array([*edges, *rng.integers(-(2**31), 2**31, 3000)], np.int32)
    scales = [0.0, 1.0, 0.5, 2.0**-31, 2.0**-33, 1e-9, *np.exp(rng.uniform(-20, 5, 60))]
    for scale in scales:
        multiplier, shift = integer_conv.quantize_multiplier(scale)
        assert kernels.quantize_multiplier(scale) == (multiplier, shift)
        np.testing.assert_array_equal(
            kernels.multiply_by_quantized_multiplier(accumulators, multiplier, shift),
            integer_conv.multiply_by_quantized_multiplier(
                accumulators, np.array([multiplier]), np.array([shift])
            ),
        )
    for first, second, third in np.exp(rng.uniform(-12, 2, (200, 3))).astype(np.float32):
        scales_of_layer = (float(first), float(second), float(third))
        found = kernels.effective_scale(*scales_of_layer)
        assert found == integer_conv.effective_scale(*scales_of_layer)
        for name in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            zero_point = int(rng.integers(-128, 128))
            assert kernels.activation_range(name, float(third), zero_point) == (
                integer_conv.activation_range(name, float(third), zero_point)
            )


@pytest.mark.parametrize(("kernel", "scale"), [("winograd_f43", 576), ("winograd_f23", 4)])
def test_transforms_give_a_multiple_of_the_convolution(kernel: str, scale: int) -> None:
    rng = np.random.default_rng(1)
    n = 6 if kernel == "winograd_f43" else 4
    for extreme in (False, True):
        codes: npt.NDArray[np.int8] = rng.integers(-128, 128, (n, n)).astype(np.int8)
        weights: npt.NDArray[np.int8] = rng.integers(-127, 128, (3, 3)).astype(np.int8)
        if extreme:
            codes, weights = np.full_like(codes, -128), np.full_like(weights, -127)
        product = kernels.transform_filter(kernel, weights).astype(np.int64)
        product *= kernels.transform_input(kernel, codes)
        windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.int64), (3, 3))
        expected = scale * (windows * weights).sum(axis=(2, 3))
        np.testing.assert_array_equal(
            kernels.transform_output(kernel, product.astype(np.int32)), expected
        )


def test_one_dimensional_taps() -> None:
    assert kernels.transform_taps("halve_sums", 3, 5, 7).tolist() == [3, 15, 5, 7]
    assert kernels.transform_taps("halve_weights", 100, 27, 127).tolist() == [100, 127, 100, 127]
    assert kernels.transform_taps("two_taps", 63, 63, -63).tolist() == [63, 126, 63, -63]


def test_forms_of_the_one_dimensional_kernel() -> None:
    filters = np.zeros((4, 3, 3, 1), np.int8)
    for channel, taps in enumerate([(100, 27, 127), (40, 40, 41), (63, 63, 63), (127, 127, 1)]):
        filters[channel, 1, :, 0] = taps
    one, zero = np.full(4, 2**30, np.int32), np.zeros(4, np.int32)
    found = kernels.Convolution(filters, None, one, zero, input_size=(1, 4, 4))
    assert found.winograd_1d_forms() == ["halve_weights", "halve_sums", "two_taps", "none"]
    assert found.refusal("winograd_1d") == "sums of horizontal taps leave int8 in channel 3"


def test_ranges_are_reached_by_the_worst_inputs() -> None:
    case = case_named("plain")
    ranges = convolution(case).accumulator_ranges()
    reference = case.convolution()
    for channel, filters in enumerate(case.filter):
        for column, worst in enumerate((filters > 0, filters <= 0)):
            codes = np.where(worst, -128, 127).astype(np.int8)[np.newaxis]
            found = reference.accumulators(codes)[0, 1, 1, channel]
            assert found == ranges[channel, column]


@pytest.mark.parametrize("inputs", [229, 230])
def test_exact_on_both_sides_of_the_bound(inputs: int) -> None:
    # 128 * 9 * 127 * 229 is just below 2^25; above it the input channels are cut into parts.
    found = plain(2, inputs, weight=127)
    assert (-found.accumulator_ranges()[0, 0] < 2**25) == (inputs == 229)
    codes = np.full((1, 8, 8, inputs), -128, np.int8)
    codes[0, ::3] = 127
    expected = found.run(codes)
    for kernel, isa in kernels.kernels():
        if kernels.cpu_supports(isa) and found.refusal(kernel, isa) is None:
            np.testing.assert_array_equal(found.run(codes, kernel, isa), expected, err_msg=kernel)
    assert found.refusal("winograd_f43") is None


def test_certificate_breaks_where_accumulators_leave_32_bits() -> None:
    assert plain(1, 14678, weight=127).refusal("winograd_f43") is None
    refusal = plain(1, 14679, weight=127).refusal("winograd_f43")
    assert refusal is not None
    assert "channel 0" in refusal
    with pytest.raises(ValueError, match="channel 0"):
        plain(1, 14679, weight=127).run(np.zeros((1, 8, 8, 14679), np.int8), "winograd_f43")


def test_a_missing_kernel_or_isa_is_named() -> None:
    found = plain(2, 2)
    assert found.refusal("winograd_1d", "avx2") == "there is no winograd_1d kernel for avx2"
    codes = np.zeros((1, 8, 8, 2), np.int8)
    with pytest.raises(ValueError, match="no kernel named winograd_f99"):
        found.run(codes, "winograd_f99")
    with pytest.raises(ValueError, match="no instruction set named mmx"):
        found.run(codes, "direct", "mmx")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filter": np.zeros((3, 3, 3), np.int8)}, "filter must have"),
        ({"bias": np.zeros(4, np.int32)}, "bias must have"),
        ({"multiplier": np.zeros(1, np.int32)}, "multiplier must have"),
        ({"multiplier": np.full(5, -1, np.int32)}, "multiplier must not"),
        ({"shift": np.full(5, 31, np.int32)}, "shift must be in"),
        ({"input_size": (1, 0, 3)}, "input_size"),
        ({"input_size": (1, 2, 2), "padding": "valid"}, "smaller than the filter"),
        ({"padding": "full"}, "padding must be"),
        ({"stride": (0, 1)}, "stride"),
        ({"dilation": (1, 0)}, "dilation"),
        ({"input_zero_point": 128}, "zero points"),
        ({"activation_range": (5, 4)}, "activation_range"),
    ],
)
def test_bad_arguments_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convolution(case_named("plain"), **changes)


def test_wrong_arrays_are_refused() -> None:
    found = plain(2, 2)
    with pytest.raises(ValueError, match="input must have"):
        found.run(np.zeros((1, 8, 8, 3), np.int8))
    with pytest.raises(TypeError):
        found.run(np.zeros((1, 8, 8, 2), np.int32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads"):
        found.run(np.zeros((1, 8, 8, 2), np.int8), threads=0)


def test_arrays_need_not_be_contiguous() -> None:
    case = case_named("plain")
    filters = np.asfortranarray(case.filter)
    codes = np.repeat(case.input, 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(convolution(case, filter=filters).run(codes), case.expected)


def test_plan_for_other_machines() -> None:
    found = plain(64, 64, size=28, weight=127)
    names = itertools.product(("scalar", "avx2", "avx512_vnni"), (False, True))
    plans = {key: found.plan(kernels.Cpu(*key)) for key in names}
    assert not plans["scalar", False].claim
    assert plans["avx2", False].kernel == "winograd_f43"
    assert (plans["avx512_vnni", False].kernel, plans["avx512_vnni", False].isa) == (
        "winograd_f43",
        "avx512_vnni",
    )
    servers = kernels.Cpu("avx512_vnni", two_vnni_units=True)
    assert plain(64, 64, weight=2).plan(servers).kernel == "winograd_1d"
    assert kernels.cpu_supports(kernels.Cpu.detect().isa)
