from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tflite_eq.cli.flags import add_preprocessing_flags, preprocessing_from
from tflite_eq.data.preprocessing import (
    ChannelOrder,
    Exif,
    Preprocessing,
    Resize,
    parse_numbers,
)
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
    assert parsed("127.5", " 1, 2 ,4e1") == Preprocessing((127.5,), (1.0, 2.0, 40.0))


@given(st.integers(0, 255), st.floats(-500, 500), st.floats(0.01, 500))
def test_normalising_can_be_undone(pixel: int, mean: float, std: float) -> None:
    value = Preprocessing((mean,), (std,)).normalize(np.array([[[pixel]]], np.uint8))
    assert float(value[0, 0, 0]) * std + mean == pytest.approx(pixel, abs=1e-3)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ("a", "1", r"--image_mean 'a': expected one number, or one per channel"),
        ("", "1", r"--image_mean ''"),
        ("1,2", "1,2,3", r"--image_mean has 2 numbers and --image_std 3"),
        ("nan", "1", r"--image_mean nan: every number must be finite"),
        ("0", "inf", r"--image_std inf: every number must be finite"),
        ("0", "0", r"--image_std 0: must be > 0"),
        ("0", "1,0,1", r"--image_std 1,0,1: must be > 0"),
        ("0", "-2", r"--image_std -2: must be > 0"),
        ("0", "1;2;3", r"--image_std '1;2;3': expected one number, or one per channel"),
    ],
)
def test_bad_numbers_are_refused(mean: str, std: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(mean, std)


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_there_is_one_number_or_one_per_channel(count: int) -> None:
    numbers = tuple(range(1, count + 1))
    Preprocessing(numbers).check_channels(count)
    pixels = np.full((2, 2, count), 12, np.uint8)
    found = Preprocessing(numbers, numbers).normalize(pixels)[0, 0]
    np.testing.assert_allclose(found, [(12 - n) / n for n in numbers], rtol=1e-6)
    Preprocessing((1.0,), (2.0,)).check_channels(count)
    with pytest.raises(ConfigError, match=f"--image_mean has {count} numbers.*is 1; give one num"):
        Preprocessing(numbers).check_channels(1)
    with pytest.raises(ConfigError, match=f"input 'x' is {count + 1}; .*or {count + 1} for its ch"):
        Preprocessing(std=numbers).check_channels(count + 1, "x")


def parsed(mean: str, std: str) -> Preprocessing:
    return Preprocessing(parse_numbers("image_mean", mean), parse_numbers("image_std", std))


numbers = st.floats(-1e6, 1e6, allow_nan=False)
some_preprocessing = st.builds(
    lambda pairs, *others: Preprocessing(*map(tuple, zip(*pairs)), *others),
    st.lists(st.tuples(numbers, st.floats(1e-3, 1e6)), min_size=1, max_size=4),
    st.sampled_from(Resize),
    st.sampled_from(ChannelOrder),
    st.sampled_from(Exif),
    st.none() | st.integers(1, 192_000),
)


@settings(deadline=None)
@given(some_preprocessing)
def test_what_is_written_down_is_what_is_read(one: Preprocessing) -> None:
    assert Preprocessing.from_plain(json.loads(json.dumps(one.to_dict()))) == one
    parser = argparse.ArgumentParser()
    add_preprocessing_flags(parser)
    assert preprocessing_from(parser.parse_args(one.flags())) == one
    assert preprocessing_from(parser.parse_args(one.flags()), recorded=one) == one
    assert preprocessing_from(parser.parse_args([]), recorded=one) == one


@settings(deadline=None)
@example(Preprocessing(mean=(0.0,)), Preprocessing(mean=(-0.0,)))
@given(some_preprocessing, some_preprocessing)
def test_options_that_contradict_what_is_recorded(one: Preprocessing, other: Preprocessing) -> None:
    assert (one.differences(other) == []) == (one == other)
    parser = argparse.ArgumentParser()
    add_preprocessing_flags(parser)
    given = parser.parse_args(one.flags())
    contradicted = {text.split()[0] for text in one.differences(other)}
    if contradicted & {flag.split("=")[0] for flag in one.flags()}:
        with pytest.raises(ConfigError, match="the loaded calibration record was made with"):
            preprocessing_from(given, recorded=other)
    else:
        assert preprocessing_from(given, recorded=other) == other


@pytest.mark.parametrize(
    ("field", "value"),
    [("resize", "fit"), ("mean", 3), ("mean", []), ("std", [0.0]), ("audio_rate", 1.5), ("a", 1)],
)
def test_what_no_record_holds_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Preprocessing.from_plain({**Preprocessing().to_dict(), field: value})
