"""How the int8 LEAKY_RELU kernels round, on all codes: what the simulation is off the reference."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from tests import running
from tests.models import Array
from tests.simulation.functions import int8_function
from tests.simulation.leaky_relu import reference_codes, second_rounding, slopes, xnnpack_codes
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams
from tflite_eq.runtimes import Kernels

CODES = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)

# Scale of the input by that of the output: at, just below and between powers of two.
RATIOS = (0.24, 0.2499, 0.25, 0.3, 0.4, 63 / 127, 127 / 255, 0.4999, 0.5, 0.51, 0.75, 0.998, 1, 1.7)
ALPHAS = (0.05, 0.1, 0.2, 0.3)
ZERO_POINTS = ((0, 0), (-9, -97), (40, 31), (-86, 3))

CASES = [
    (alpha, AffineParams(0.02 * ratio, zero_points[0]), AffineParams(0.02, zero_points[1]))
    for (number, ratio), alpha in itertools.product(enumerate(RATIOS), ALPHAS)
    for zero_points in [ZERO_POINTS[(number + ALPHAS.index(alpha)) % len(ZERO_POINTS)]]
]


@functools.cache
def computed(alpha: float, source: AffineParams, result: AffineParams, kernels: Kernels) -> Array:
    """The kernel's codes for all 256."""
    model = int8_function("LEAKY_RELU", alpha, source, result)
    codes: Array = running.run(model, [CODES[None]], kernels)[0][0].astype(np.int32)
    return codes


@pytest.mark.parametrize(("alpha", "source", "result"), CASES)
def test_kernels_compute_what_their_arithmetic_says(
    alpha: float, source: AffineParams, result: AffineParams
) -> None:
    case = (alpha, source, result)
    np.testing.assert_array_equal(
        computed(*case, Kernels.REFERENCE), reference_codes(CODES, *case), err_msg="reference"
    )
    np.testing.assert_array_equal(
        computed(*case, Kernels.DEFAULT), xnnpack_codes(CODES, *case), err_msg="XNNPACK"
    )


@pytest.mark.parametrize(("alpha", "source", "result"), CASES)
def test_no_code_is_further_off_than_its_kernel_rounds(
    alpha: float, source: AffineParams, result: AffineParams
) -> None:
    """Half a code, and what slopes of 8 bits or a second rounding add; so one code between them."""
    above, below = slopes(alpha, source, result)
    values = CODES.astype(np.float64) - source.zero_point
    exact = values * np.where(values >= 0, above, below) + result.zero_point
    inside = (exact > INT8_MIN) & (exact < INT8_MAX)
    second = np.where(values >= 0, second_rounding(above), second_rounding(below))
    found = {kernels: computed(alpha, source, result, kernels) for kernels in Kernels}
    for kernels, added in (
        (Kernels.DEFAULT, np.abs(values) / 512),
        (Kernels.REFERENCE, second),
    ):
        excess = np.abs(found[kernels] - exact) - 0.5 - added
        assert excess[inside].max() < 1e-6, kernels
    assert np.abs(found[Kernels.DEFAULT] - found[Kernels.REFERENCE]).max() <= 1


@pytest.mark.parametrize("ratio", [63 / 127, 127 / 255])
def test_the_reference_rounds_odd_codes_up_where_the_slope_is_just_below_a_half(
    ratio: float,
) -> None:
    """The symmetric 8-bit input of a symmetric 7-bit output: both kernels cannot be near it."""
    case = (0.1, AffineParams(0.02 * ratio, 0), AffineParams(0.02, 0))
    positive = CODES > 0
    codes = CODES[positive].astype(np.int32)
    nearest = np.floor(codes * ratio + 0.5).astype(np.int32)
    # y = round(2 ratio code) is the code itself as long as 2 ratio code is nearer to it.
    rounded_up = (codes % 2 == 1) & (codes < 0.5 / (1 - 2 * ratio))
    np.testing.assert_array_equal(computed(*case, Kernels.DEFAULT)[positive], nearest)
    np.testing.assert_array_equal(
        computed(*case, Kernels.REFERENCE)[positive], nearest + rounded_up
    )
    assert np.count_nonzero(rounded_up) == {63 / 127: 32, 127 / 255: 64}[ratio]
