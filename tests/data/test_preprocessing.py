from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import ConfigError


def test_pixels_are_shifted_then_divided() -> None:
    pixels = np.array([[[0, 100, 255]]], np.uint8)
    one = Preprocessing((127.5,), (127.5,)).normalize(pixels)
    np.testing.assert_allclose(one, [[[-1, -27.5 / 127.5, 1]]], rtol=1e-6)
    three = Preprocessing((1.0, 2.0, 3.0), (2.0, 4.0, 8.0)).normalize(pixels)
    np.testing.assert_allclose(three, [[[-0.5, 24.5, 31.5]]])
    assert one.dtype == np.float32


def test_the_default_leaves_pixels_alone() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(Preprocessing().normalize(pixels), pixels)


def test_text_with_one_or_three_numbers() -> None:
    assert Preprocessing.parse("127.5", " 1, 2 ,4e1") == Preprocessing((127.5,), (1.0, 2.0, 40.0))


@given(st.integers(0, 255), st.floats(-500, 500), st.floats(0.01, 500))
def test_normalising_can_be_undone(pixel: int, mean: float, std: float) -> None:
    value = Preprocessing((mean,), (std,)).normalize(np.array([[[pixel]]], np.uint8))
    assert float(value[0, 0, 0]) * std + mean == pytest.approx(pixel, abs=1e-3)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ("a", "1", r"--image_mean 'a': expected one number or three"),
        ("", "1", r"--image_mean ''"),
        ("1,2", "1", r"--image_mean has 2 numbers"),
        ("nan", "1", r"--image_mean nan: every number must be finite"),
        ("0", "inf", r"--image_std inf: every number must be finite"),
        ("0", "0", r"--image_std 0: must be > 0"),
        ("0", "1,0,1", r"--image_std 1,0,1: must be > 0"),
        ("0", "-2", r"--image_std -2: must be > 0"),
        ("0", "1;2;3", r"--image_std '1;2;3': expected one number or three"),
    ],
)
def test_bad_numbers_are_refused(mean: str, std: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preprocessing.parse(mean, std)


def test_three_numbers_need_three_channels() -> None:
    Preprocessing((1.0, 2.0, 3.0)).check_channels(3)
    with pytest.raises(ConfigError, match="give one number"):
        Preprocessing((1.0, 2.0, 3.0)).check_channels(1)
    with pytest.raises(ConfigError, match="--image_std has three"):
        Preprocessing(std=(1.0, 2.0, 3.0)).check_channels(4)
