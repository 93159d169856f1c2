"""The Python reference of the integer convolution against TFLite's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.delegate.oracle import reference_output
from tests.golden import vectors
from tests.oracles.integer_conv import (
    activation_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from tflite_eq.runtimes import Runtime, available_runtimes

CASES = vectors.read() + vectors.read(vectors.DEPTHWISE_PATH)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_vectors(case: vectors.Case) -> None:
    np.testing.assert_array_equal(case.convolution()(case.input), case.expected)


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda runtime: runtime.name)
def test_golden_vectors_are_what_every_runtime_computes(runtime: Runtime) -> None:
    for case in CASES:
        np.testing.assert_array_equal(
            reference_output(case, runtime), case.expected, err_msg=case.name
        )


def test_golden_vectors_say_something() -> None:
    spread = [case.expected.std() > 5 for case in CASES]
    assert sum(spread) >= len(CASES) - 4, "saturated outputs prove nothing"


@pytest.mark.parametrize("scale", [1.0, 0.75, 0.5, 1e-3, 3.7e-9, 2.0**-33, 1.9999999999, 1000.5])
def test_fixed_point_form_of_a_scale(scale: float) -> None:
    multiplier, shift = quantize_multiplier(scale)
    assert multiplier == 0 or 2**30 <= multiplier < 2**31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(scale, rel=2**-30, abs=2**-32)


def test_rounds_twice_and_away_from_zero() -> None:
    half, quarter = np.array([2**30]), np.array([-1])
    accumulators = np.array([-6, -3, -2, -1, 0, 1, 2, 3, 6], np.int32)
    # Times 1/4: first halves, rounded up, then halves, rounded away from zero.
    found = multiply_by_quantized_multiplier(accumulators, half, quarter)
    np.testing.assert_array_equal(found, [-2, -1, -1, 0, 0, 1, 1, 1, 2])


def test_fused_activations() -> None:
    assert activation_range("NONE", 0.1, 3) == (-128, 127)
    assert activation_range("RELU", 0.1, 3) == (3, 127)
    assert activation_range("RELU6", 0.1, 3) == (3, 63)
    assert activation_range("RELU_N1_TO_1", 0.1, 3) == (-7, 13)
    assert activation_range("RELU6", 1e-9, 3) == (3, 127)
    with pytest.raises(ValueError, match="TANH"):
        activation_range("TANH", 0.1, 3)
