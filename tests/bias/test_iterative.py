from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests import models, running
from tflite_eq import BiasCorrection, Config, Method, quantize
from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.runtimes import Kernels

Array = npt.NDArray[Any]

CORRECTED = Config(method=Method.MINMAX)
UNCORRECTED = Config(method=Method.MINMAX, bias_correction=BiasCorrection.NONE)


def test_by_hand() -> None:
    """Channel 0: errors 1 and 3, mean 2; channel 1: errors -1 and 1, mean 0."""
    sums = ErrorSums(2)
    reference = np.array([[3.0, 1.0], [4.0, 2.0]], np.float32)
    sums.update(reference, reference + np.array([[1.0, -1.0], [3.0, 1.0]], np.float32))
    assert sums.mean_shift.tolist() == [2.0, 0.0]
    signal = 9 + 1 + 16 + 4
    errors = sums.layer_errors()
    assert errors.mssr == pytest.approx(2 * 2.0**2 / signal)
    assert errors.rqnsr == pytest.approx((1 + 1 + 1 + 1) / signal)
    assert errors.sqnr_db == pytest.approx(10 * np.log10(signal / 12))
    corrected = sums.layer_errors(-sums.mean_shift)
    assert corrected.mssr == 0
    assert corrected.rqnsr == errors.rqnsr


@pytest.mark.parametrize("mean", [0.0, 1e4, -1e4])
def test_means_far_above_what_varies_do_not_drown_it(mean: float) -> None:
    """Gain and noise as float64 has them; around 0 nothing would be left of either."""
    rng = np.random.default_rng(2)
    y = (mean + rng.normal(0, 1, (5, 400, 3))).astype(np.float32)
    shrunk = (mean + 0.8 * (y.astype(np.float64) - mean) + rng.normal(0, 0.05, y.shape)).astype(
        np.float32
    )
    sums = ErrorSums(3)
    for reference, quantized in zip(y, shrunk):
        sums.update(reference, quantized)
    exact, found = (values.reshape(-1, 3).astype(np.float64) for values in (y, shrunk))
    centred = [values - values.mean(axis=0) for values in (exact, found)]
    gain = (centred[0] * centred[1]).sum() / (centred[1] ** 2).sum()
    assert sums.restoring_gain == pytest.approx(gain, rel=1e-3)
    noise = (found - exact).var(axis=0).sum() * len(exact) / (exact**2).sum()
    assert sums.layer_errors().rqnsr == pytest.approx(noise, rel=1e-3)
    np.testing.assert_allclose(sums.signal, (exact**2).sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("shift", [1e3, -1e4])
def test_a_shift_far_above_the_rest_of_the_error_does_not_drown_it(shift: float) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(0, 1, (4, 300, 2)).astype(np.float32)
    wrong = (y + np.float32(shift) + rng.normal(0, 1, y.shape)).astype(np.float32)
    sums = ErrorSums(2)
    for reference, quantized in zip(y, wrong):
        sums.update(reference, quantized)
    error = (wrong - y).astype(np.float64).reshape(-1, 2)
    signal = (y.astype(np.float64) ** 2).sum()
    expected = error.var(axis=0).sum() * len(error) / signal
    assert sums.layer_errors().rqnsr == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(sums.mean_shift, error.mean(axis=0), rtol=1e-6)


def random_outputs(seed: int, samples: int, channels: int) -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, 1, channels)
    return [
        (
            rng.normal(0, 3, (1, 2, 3, channels)).astype(np.float32),
            rng.normal(shift, 1, (1, 2, 3, channels)).astype(np.float32),
        )
        for _ in range(samples)
    ]


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
def test_both_parts_sum_to_the_error_energy(seed: int, samples: int, channels: int) -> None:
    sums = ErrorSums(channels)
    outputs = random_outputs(seed, samples, channels)
    for reference, error in outputs:
        sums.update(reference, reference + error)
    signal = sum(float(np.square(y.astype(np.float64)).sum()) for y, _ in outputs)
    for offset in (0.0, -sums.mean_shift, np.linspace(-1, 1, channels)):
        energy = sum(float(np.square(d.astype(np.float64) + offset).sum()) for _, d in outputs)
        errors = sums.layer_errors(offset)
        assert errors.mssr + errors.rqnsr == pytest.approx(energy / signal, rel=1e-4)


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
def test_mean_shift_is_the_best_constant(seed: int, samples: int, channels: int) -> None:
    sums = ErrorSums(channels)
    for reference, error in random_outputs(seed, samples, channels):
        sums.update(reference, reference + error)
    best = sums.layer_errors(-sums.mean_shift)
    noise = best.mssr + best.rqnsr
    for nudge in (-0.1, 0.1):
        other = sums.layer_errors(-sums.mean_shift + nudge)
        assert other.mssr + other.rqnsr > noise


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6), st.floats(0.3, 1.5))
def test_restoring_gain_is_the_least_squares_factor(
    seed: int, samples: int, channels: int, shrink: float
) -> None:
    sums = ErrorSums(channels)
    outputs = [
        (y, np.float32(shrink) * y + np.float32(0.3) * e + 1)
        for y, e in random_outputs(seed, samples, channels)
    ]
    for reference, quantized in outputs:
        sums.update(reference, quantized)
    y, z = (
        np.concatenate([pair[i].reshape(-1, channels) for pair in outputs]).astype(np.float64)
        for i in (0, 1)
    )
    y, z = y - y.mean(axis=0), z - z.mean(axis=0)
    best = (y * z).sum() / (z * z).sum()
    assert sums.restoring_gain == pytest.approx(np.clip(best, 1, 2), rel=1e-3)


def test_gain_of_nothing_is_1() -> None:
    sums = ErrorSums(2)
    assert sums.restoring_gain == 1.0
    sums.update(np.ones((1, 4, 2), np.float32), np.ones((1, 4, 2), np.float32))
    assert sums.restoring_gain == 1.0


def test_memory_does_not_grow_with_the_samples() -> None:
    sums = ErrorSums(3)
    size_of = lambda: sum(np.asarray(v).nbytes for v in vars(sums).values())  # noqa: E731
    before = size_of()
    for reference, error in random_outputs(0, 50, 3):
        sums.update(reference, reference + error)
    assert size_of() == before
    assert sums.count == 50 * 6


def test_no_values_and_no_signal_give_finite_figures() -> None:
    sums = ErrorSums(2)
    assert sums.layer_errors().sqnr_db == pytest.approx(300)
    sums.update(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32))
    assert np.isfinite(sums.layer_errors().sqnr_db)


def planted_shift_net() -> bytes:
    """All but one weight of a filter are rounded down, and inputs are positive."""

    def network(x: Any) -> Any:
        filters = np.full((3, 3, 4, 6), 0.4 / 127, np.float32) * np.linspace(0.5, 1, 6, dtype="f")
        filters[1, 1, 0] = 1.0
        x = tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), np.zeros(6, np.float32))
        return models.conv(tf.nn.relu(x), 5, size=1, seed=2)

    return models.convert(network, (1, 8, 8, 4))


def positive_samples() -> list[list[Array]]:
    rng = np.random.default_rng(0)
    return [[rng.uniform(0, 4, (1, 8, 8, 4)).astype(np.float32)] for _ in range(8)]


def mean_shift(model: bytes, quantized: bytes) -> float:
    """Largest error of a channel mean of the network's output, on kernels."""
    errors = [
        running.run(quantized, x, Kernels.BUILTIN)[0] - running.run(model, x)[0]
        for x in positive_samples()
    ]
    return float(np.abs(np.mean(errors, axis=(0, 1, 2, 3))).max())


def test_planted_shift_is_taken_out() -> None:
    model = planted_shift_net()
    results = [quantize(model, positive_samples(), c) for c in (UNCORRECTED, CORRECTED)]
    plain, corrected = (mean_shift(model, r.model) for r in results)
    assert plain > 0.02
    assert corrected < 0.15 * plain
    first = results[1].report.layers[0]
    assert first.mssr_after < 0.01 * first.mssr_before
    assert first.sqnr_db_after > first.sqnr_db_before + 3
    assert not first.rolled_back


def test_layers_see_the_network_corrected_so_far() -> None:
    model = planted_shift_net()
    plain, corrected = (
        quantize(model, positive_samples(), c).report.layers[1] for c in (UNCORRECTED, CORRECTED)
    )
    assert corrected.mssr_before < 0.2 * plain.mssr_before


def test_without_correction_nothing_is_added() -> None:
    result = quantize(planted_shift_net(), positive_samples(), UNCORRECTED)
    for layer in result.calibration.layers:
        assert layer.bias_correction == []
        assert not layer.metrics["rolled_back"]
        assert layer.metrics["before_correction"] == layer.metrics["after_correction"]


def shift_below_zero_net(activation: Any) -> bytes:
    """y = a - b / 317, where b's weight is rounded to 0 and b is large only where y < 0."""

    def network(x: Any) -> Any:
        filters = np.array([1.0, -0.4 / 127], np.float32).reshape(1, 1, 2, 1)
        x = tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), np.zeros(1, np.float32))
        return activation(x)

    return models.convert(network, (1, 4, 32, 2))


def exactly_quantized_samples() -> list[list[Array]]:
    """Integers from -128 to 127, which scale 1 holds exactly."""
    image = np.zeros((1, 4, 32, 2), np.float32)
    image[0, :2, :, 0] = np.arange(32)
    image[0, 2:, :, 0] = -128 + np.arange(32)
    image[0, 2:, :, 1] = 127
    return [[image]]


def test_correction_that_only_helps_what_relu_cuts_off_is_rolled_back() -> None:
    result = quantize(shift_below_zero_net(tf.nn.relu), exactly_quantized_samples(), CORRECTED)
    record = result.calibration.layers[0]
    assert record.metrics["rolled_back"]
    assert record.bias_correction == []
    assert record.metrics["before_correction"] == record.metrics["after_correction"]
    assert result.report.layers[0].rolled_back


def test_the_same_correction_is_kept_without_relu() -> None:
    result = quantize(shift_below_zero_net(lambda x: x), exactly_quantized_samples(), CORRECTED)
    record = result.calibration.layers[0]
    assert not record.metrics["rolled_back"]
    # Half of the pixels err by 0.4; the bias adds the mean of it.
    np.testing.assert_allclose(record.bias_correction, [-0.2], atol=0.005)
