from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tflite_eq.data.store import ActivationStore
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize
from tflite_eq.numerics.windows import Window
from tflite_eq.simulation.twins import RealOfCodes, TwinActivations

PARAMS = AffineParams(0.5, 10)
FULL = Window(-128, 127, True)
VALUES = np.array([-100.0, -1.3, 0.0, 0.2, 0.3, 100.0], np.float32)
ROUNDED = np.array([-69.0, -1.5, 0.0, 0.0, 0.5, 58.5], np.float32)


@pytest.fixture
def twins() -> Iterator[TwinActivations]:
    with ActivationStore() as store:
        yield TwinActivations(store, samples=1)


def test_unsettled_values_stay_real(twins: TwinActivations) -> None:
    twins.put_quantized(3, 0, VALUES)
    np.testing.assert_array_equal(twins.quantized_values(3, 0), VALUES)


def test_settling_turns_present_values_into_codes(twins: TwinActivations) -> None:
    twins.put_quantized(3, 0, VALUES)
    twins.settle(3, PARAMS, FULL)
    np.testing.assert_array_equal(twins.quantized_values(3, 0), ROUNDED)


def test_later_values_become_codes_at_once(twins: TwinActivations) -> None:
    twins.settle(3, PARAMS, FULL)
    assert not twins.has_values(3)
    twins.put_quantized(3, 0, VALUES)
    assert twins.has_values(3)
    np.testing.assert_array_equal(twins.quantized_values(3, 0), ROUNDED)


def test_waiting_values_are_not_rounded(twins: TwinActivations) -> None:
    twins.settle(3, PARAMS, FULL)
    twins.put_waiting(3, 0, VALUES)
    np.testing.assert_array_equal(twins.waiting_values(3, 0), VALUES)


def test_networks_do_not_mix(twins: TwinActivations) -> None:
    twins.put_float(3, 0, VALUES)
    twins.put_quantized(3, 0, -VALUES)
    twins.settle(3, PARAMS, FULL)
    np.testing.assert_array_equal(twins.float_values(3, 0), VALUES)


def test_values_outside_the_window_are_counted(twins: TwinActivations) -> None:
    # Codes -64..63 are real -37..26.5; half a step beyond still rounds inside.
    twins.settle(3, PARAMS, Window(-64, 63, False))
    twins.put_quantized(3, 0, np.array([-37.2, -37.3, 26.7, 26.8, 0, 1, 2, 3], np.float32))
    assert twins.outside(3) == pytest.approx(2 / 8)
    assert twins.outside(4) == 0


def test_dropped_values_are_gone(twins: TwinActivations) -> None:
    twins.put_float(3, 0, VALUES)
    twins.put_quantized(3, 0, VALUES)
    twins.drop(3)
    assert not twins.has_values(3)
    with pytest.raises(KeyError):
        twins.float_values(3, 0)


@pytest.mark.parametrize("is_settled", [False, True])
def test_what_waits_becomes_final_values_or_codes(twins: TwinActivations, is_settled: bool) -> None:
    def halve(values: np.ndarray) -> None:
        values *= np.float32(0.5)

    if is_settled:
        twins.settle(3, PARAMS, FULL)
    twins.put_waiting(3, 0, VALUES.copy())
    twins.finish_waiting(3, 0, halve)
    expected = dequantize(quantize(VALUES / 2, PARAMS), PARAMS) if is_settled else VALUES / 2
    np.testing.assert_array_equal(twins.quantized_values(3, 0), expected)
    assert twins.has_values(3)


@pytest.mark.parametrize("settles_first", [False, True])
def test_results_of_codes_are_those_of_their_values(
    twins: TwinActivations, settles_first: bool
) -> None:
    codes = np.arange(256, dtype=np.uint8).view(np.int8)
    results = np.tanh(dequantize(codes, PARAMS)) * np.float32(60)
    values = np.random.default_rng(0).uniform(-80, 80, (1, 500)).astype(np.float32)
    window = Window(-64, 63, False)
    twins.put_quantized(3, 0, values)
    twins.settle(3, PARAMS, FULL)
    real = np.tanh(twins.quantized_values(3, 0)) * np.float32(60)
    if settles_first:
        twins.settle(4, PARAMS, window)
    twins.put_results(4, 3, results)
    assert twins.has_values(4)
    if not settles_first:
        np.testing.assert_array_equal(twins.quantized_values(4, 0), real)
        np.testing.assert_array_equal(twins.quantized_feed(4, 0), real)
        twins.settle(4, PARAMS, window)
    twins.settle(5, PARAMS, window)
    twins.put_quantized(5, 0, real)
    np.testing.assert_array_equal(twins.quantized_values(4, 0), twins.quantized_values(5, 0))
    assert twins.outside(4) == twins.outside(5) > 0
    twins.forget_quantized(4)
    twins.put_quantized(4, 0, values)
    np.testing.assert_array_equal(
        twins.quantized_values(4, 0), dequantize(quantize(values, PARAMS), PARAMS)
    )


def test_what_is_lent_is_copied(twins: TwinActivations) -> None:
    borrowed = VALUES.copy()
    twins.put_float(3, 0, borrowed, lent=True)
    twins.put_waiting(3, 0, borrowed, lent=True)
    borrowed[:] = 7
    np.testing.assert_array_equal(twins.float_values(3, 0), VALUES)
    np.testing.assert_array_equal(twins.waiting_values(3, 0), VALUES)


def test_interpreters_are_given_what_codes_stand_for(twins: TwinActivations) -> None:
    twins.settle(3, PARAMS, FULL)
    twins.put_quantized(3, 0, VALUES)
    feed = twins.quantized_feed(3, 0)
    assert isinstance(feed, RealOfCodes)
    memory = np.empty(feed.shape, np.float32)
    feed.write_to(memory)
    np.testing.assert_array_equal(memory, ROUNDED)
