"""Corrections from some of the output positions, and the last steps block by block."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.data.store import ActivationStore
from tflite_eq.simulation import outputs as module
from tflite_eq.simulation.outputs import finish, sampled_outputs, spread
from tflite_eq.simulation.twins import TwinActivations

CHANNELS = 3


@pytest.mark.parametrize("available", [1, 5, 40, 41, 1000])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_positions_are_spread_and_each_is_taken_once(available: int, count: int) -> None:
    found = np.arange(available)[spread(available, count, np.random.default_rng(1))]
    assert len(found) == min(available, count)
    assert (np.diff(found) > 0).all()
    stretch = available / len(found)
    assert (np.abs(found - (np.arange(len(found)) + 0.5) * stretch) <= stretch + 0.5).all()


def twins_of(store: ActivationStore, pixels: int, samples: int = 4) -> TwinActivations:
    rng = np.random.default_rng(0)
    twins = TwinActivations(store, samples)
    for sample in range(samples):
        exact = rng.standard_normal((1, pixels, 1, CHANNELS)).astype(np.float32)
        noise = rng.standard_normal(exact.shape).astype(np.float32) + np.float32([1, 0, -2])
        twins.put_float(7, sample, exact)
        twins.put_waiting(7, sample, exact + noise)
    return twins


def test_where_positions_are_few_all_are_taken() -> None:
    with ActivationStore() as store:
        twins = twins_of(store, 50)
        found = sampled_outputs(twins, 7, CHANNELS, np.random.default_rng(0))
        every = np.concatenate([twins.float_values(7, n).reshape(-1, CHANNELS) for n in range(4)])
    np.testing.assert_array_equal(found.exact, every)


def test_the_work_does_not_grow_with_the_picture_and_the_mean_is_known_as_well_as_stated() -> None:
    with ActivationStore() as store:
        twins = twins_of(store, 30_000)
        found = sampled_outputs(twins, 7, CHANNELS, np.random.default_rng(0))
    assert len(found.exact) == module._ROWS
    # Of errors with a deviation of 1, within three standard errors.
    expected = np.array([1, 0, -2])
    assert np.abs(found.error_sums.mean_shift - expected).max() < 3 / np.sqrt(module._ROWS)


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
