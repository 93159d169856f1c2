from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.numerics.activation import activate, is_fusable

VALUES = np.array([-7.0, -0.5, 0.0, 0.5, 5.5, 7.0], np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NONE", [-7.0, -0.5, 0.0, 0.5, 5.5, 7.0]),
        ("RELU", [0.0, 0.0, 0.0, 0.5, 5.5, 7.0]),
        ("RELU6", [0.0, 0.0, 0.0, 0.5, 5.5, 6.0]),
        ("RELU_N1_TO_1", [-1.0, -0.5, 0.0, 0.5, 1.0, 1.0]),
    ],
)
def test_by_hand(name: str, expected: list[float]) -> None:
    assert is_fusable(name)
    result = activate(VALUES.copy(), name)
    assert result.tolist() == expected
    assert result.dtype == np.float32


@pytest.mark.parametrize("name", ["NONE", "RELU"])
def test_it_works_in_place(name: str) -> None:
    values = VALUES.copy()
    assert activate(values, name) is values


@pytest.mark.parametrize("name", ["TANH", "SIGN_BIT", ""])
def test_what_no_kernel_fuses_is_refused(name: str) -> None:
    assert not is_fusable(name)
    with pytest.raises(ValueError, match="fuses"):
        activate(VALUES.copy(), name)
