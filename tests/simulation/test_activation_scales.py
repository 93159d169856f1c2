"""Decisions about activation scales that the whole pass takes."""

from __future__ import annotations

import pytest

from tests import running
from tflite_eq.config import Config


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
def test_no_calibration_code_leaves_a_seven_bit_window(mode: str) -> None:
    # Nothing saturates at the ends of a signed window: a scale below the extremes, KL's too, would
    # send a kernel that relies on the window to its slow path.
    result = running.quantized("leaky_net", Config(bits="7", activation_mode=mode))
    signed = [t for t in result.calibration.tensors if t.bits == 7 and t.window[1] == 63]
    assert signed
    assert [t.outside for t in signed] == [0.0] * len(signed)
