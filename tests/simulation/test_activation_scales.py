"""Decisions about activation scales that the whole pass takes."""

from __future__ import annotations

import pytest

from tests import running
from tflite_eq.calibration.record import TensorRecord
from tflite_eq.config import Config


def signed_seven_bit(config: Config) -> list[TensorRecord]:
    record = running.quantized("leaky_net", config).calibration
    return [t for t in record.tensors if t.bits == 7 and t.window[1] == 63]


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
def test_no_calibration_code_leaves_a_window_that_a_kernel_relies_on(mode: str) -> None:
    # Nothing saturates at the ends of a signed window: a scale below the extremes, KL's too, would
    # send the kernel to its slow path.
    signed = signed_seven_bit(Config(bits="auto", target="armv8.2-dotprod", activation_mode=mode))
    assert len(signed) >= 2
    assert [t.outside for t in signed] == [0.0] * len(signed)


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
def test_few_codes_leave_a_window_that_no_kernel_relies_on(mode: str) -> None:
    signed = signed_seven_bit(Config(bits="7", activation_mode=mode))
    assert len(signed) >= 3
    assert any(t.factor < 1 or t.start == "kl" for t in signed)
    assert max(t.outside for t in signed) < 0.01
