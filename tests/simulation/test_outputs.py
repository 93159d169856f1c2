"""Corrections from some of the output positions, and the last steps block by block."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.simulation import outputs as module
from tflite_eq.simulation.outputs import OutputRows, SampledOutputs, finish, spread

CHANNELS = 3


@pytest.mark.parametrize("available", [1, 5, 40, 41, 1000])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_positions_are_spread_and_each_is_taken_once(available: int, count: int) -> None:
    found = np.arange(available)[spread(available, count, np.random.default_rng(1))]
    assert len(found) == min(available, count)
    assert (np.diff(found) > 0).all()
    stretch = available / len(found)
    assert (np.abs(found - (np.arange(len(found)) + 0.5) * stretch) <= stretch + 0.5).all()


def outputs_of(pixels: int, samples: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outputs of both networks for every sample."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(samples):
        exact = rng.standard_normal((1, pixels, 1, CHANNELS)).astype(np.float32)
        noise = rng.standard_normal(exact.shape).astype(np.float32) + np.float32([1, 0, -2])
        found.append((exact, exact + noise))
    return found


def rows_of(outputs: list[tuple[np.ndarray, np.ndarray]]) -> OutputRows:
    """Rows that have seen outputs in the order in which both networks compute them."""
    rows = OutputRows(CHANNELS, len(outputs), None, np.random.default_rng(0))
    for sample, (exact, _) in enumerate(outputs):
        rows.take_exact(sample, exact)
    for sample, (_, quantized) in enumerate(outputs):
        rows.take_quantized(sample, quantized)
    return rows


def found_in(outputs: list[tuple[np.ndarray, np.ndarray]]) -> SampledOutputs:
    return rows_of(outputs).outputs()


def test_where_positions_are_few_all_are_taken() -> None:
    outputs = outputs_of(50)
    found = found_in(outputs)
    exact, quantized = (np.concatenate(all_of).reshape(-1, CHANNELS) for all_of in zip(*outputs))
    np.testing.assert_array_equal(found.exact, exact)
    np.testing.assert_array_equal(found.quantized, quantized)


def test_the_work_does_not_grow_with_the_picture_and_the_mean_is_known_as_well_as_stated() -> None:
    found = found_in(outputs_of(30_000))
    assert len(found.exact) == module._ROWS
    # Of errors with a deviation of 1, within three standard errors.
    expected = np.array([1, 0, -2])
    assert np.abs(found.error_sums.mean_shift - expected).max() < 3 / np.sqrt(module._ROWS)


def test_a_sample_that_counts_less_gives_fewer_rows() -> None:
    outputs = outputs_of(100)
    rows = OutputRows(CHANNELS, 4, np.array([1, 0.25, 0, 1]), np.random.default_rng(0))
    for sample, (exact, quantized) in enumerate(outputs):
        rows.take_exact(sample, exact)
        rows.take_quantized(sample, quantized)
    assert len(rows.outputs().exact) == 100 + 25 + 0 + 100


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("gain", [1.0, 1.25])
@pytest.mark.parametrize("rows", [1, module._BLOCK_VALUES])
def test_last_steps_are_those_of_the_layer(activation: str, gain: float, rows: int) -> None:
    rng = np.random.default_rng(2)
    bias, offset = rng.standard_normal((2, CHANNELS)).astype(np.float32)
    values = (4 * rng.standard_normal((1, rows, 1, CHANNELS))).astype(np.float32)
    ends = {"RELU": (0, np.inf), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
    exact = np.clip(
        (values.astype(np.float64) - bias) * gain + bias + offset,
        *ends.get(activation, (-np.inf, np.inf)),
    )
    finish(values, activation, gain, bias, offset)
    np.testing.assert_allclose(values, exact, rtol=1e-5, atol=1e-5)
