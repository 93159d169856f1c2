"""Bounds against brute force, and against the delegate's own certificates."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from tests import built
from tflite_eq.numerics import certificates
from tflite_eq.numerics.lattice import round_to_lattice


def random_codes(seed: int, limit: int = 127, channels: int = 5) -> npt.NDArray[np.int8]:
    rng = np.random.default_rng(seed)
    return rng.integers(-limit, limit + 1, (6, 3, 3, channels)).astype(np.int8)


@pytest.mark.parametrize("zero_point", [-128, -3, 0, 127])
def test_bound_is_the_worst_of_all_inputs(zero_point: int) -> None:
    rng = np.random.default_rng(zero_point + 200)
    weights = rng.integers(-127, 128, (3, 5)).astype(np.int8)
    bias = np.array([1000, -70000, 5], np.int32)
    inputs = np.array(list(itertools.product((-128, 127), repeat=5)))  # extremes are at corners
    sums = (inputs - zero_point) @ weights.T.astype(np.int64) + bias
    found = certificates.accumulator_bounds(weights, zero_point, bias)
    np.testing.assert_array_equal(found, np.abs(sums).max(axis=0))


def test_certificate_counts_channels_and_headroom() -> None:
    weights = np.zeros((2, 3, 3, 229), np.int8)
    weights[0] = 127
    # 229 channels of the largest weights are the most that 2^25 holds for raw codes.
    raw = certificates.accumulator_certificate("f43", weights, 0, 25, None)
    assert raw.bound == 128 * 127 * 9 * 229 < 2**25
    assert raw.holds
    more = np.full((1, 3, 3, 230), 127, np.int8)
    failed = certificates.accumulator_certificate("f43", more, 0, 25, None)
    assert (failed.holds, failed.channels, failed.total) == (False, 0, 1)
    assert failed.headroom_bits < 0 < raw.headroom_bits < 0.01


def test_lattice_weights_are_exact_along_the_width() -> None:
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((4, 3, 3, 8)).astype(np.float32)
    scales = (np.abs(filters).reshape(4, -1).max(axis=1) / 80).astype(np.float32)
    codes = round_to_lattice(filters, scales)
    assert certificates.winograd_1d_certificate(codes).holds
    odd = codes.copy()
    odd[2, 0, 0, 0] = np.where(odd[2, 0, 0, 0] < 100, odd[2, 0, 0, 0] + 1, 0)
    odd[2, 1, :, 0] = 100
    found = certificates.winograd_1d_certificate(odd)
    assert (found.holds, found.channels) == (False, 3)


def test_direct_int7_takes_symmetric_weights() -> None:
    weights = np.full((2, 1, 1, 3), -127, np.int8)
    assert certificates.direct_int7_certificate(weights).holds
    weights[1, 0, 0, 0] = -128
    assert certificates.direct_int7_certificate(weights).channels == 1


@pytest.mark.parametrize("seed", range(12))
def test_same_as_the_delegate(seed: int) -> None:
    binding = built.kernels()
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([4, 230, 300]))
    codes = random_codes(seed, int(rng.choice([20, 42, 63, 127])), channels)
    if seed % 3 == 0:
        codes = np.sign(codes).astype(np.int8) * np.int8(127)
    zero_point = int(rng.integers(-64, 64))
    convolution = binding.Convolution(
        codes,
        None,
        np.full(6, 2**30, np.int32),
        np.full(6, -8, np.int32),
        input_size=(1, 8, 8),
        input_zero_point=zero_point,
    )
    ranges = convolution.accumulator_ranges()
    np.testing.assert_array_equal(
        certificates.accumulator_bounds(codes, zero_point), np.abs(ranges).max(axis=1)
    )
    one_dimensional = certificates.winograd_1d_certificate(codes)
    forms = convolution.winograd_1d_forms()
    fitting = sum(form in ("halve_weights", "halve_sums") for form in forms)
    assert one_dimensional.channels == fitting
