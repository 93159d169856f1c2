from __future__ import annotations

import pickle
import struct
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.properties import with_files
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.data.sources import open_data
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.graph.inputs import ModelInput

soundfile = pytest.importorskip("soundfile", reason="pip install 'tflite-eq[audio]'")

RATE = 8000


def save(path: Path, values: np.ndarray, rate: int = RATE, bits: int = 16) -> Path:
    """Values within -1..1, [frames] or [frames, channels], written by Python's own library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = values if values.ndim == 2 else values[:, np.newaxis]
    codes = np.round(frames * (2 ** (bits - 1) - 1)).astype(np.int64)
    if bits == 8:
        codes += 128
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(frames.shape[1])
        stream.setsampwidth(bits // 8)
        stream.setframerate(rate)
        stream.writeframes(
            b"".join(struct.pack("<q", code)[: bits // 8] for code in codes.reshape(-1))
        )
    return path


def ramp(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, count)


def opened(path: Path, *shape: int, rate: int | None = RATE) -> Samples:
    samples = open_data([path], [ModelInput.of_shape(shape)], Preprocessing(audio_rate=rate))
    assert isinstance(samples, Samples)
    return samples


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_every_width_of_samples_gives_the_same_values(tmp_path: Path, bits: int) -> None:
    values = ramp(100)
    (window,) = opened(save(tmp_path / "x.wav", values, bits=bits), 100)
    assert window.dtype == np.float32
    np.testing.assert_allclose(window, values, atol=2.0 ** (2 - bits) + 1e-6)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_are_taken_as_they_are(tmp_path: Path, subtype: str) -> None:
    values = 3 * ramp(100)
    soundfile.write(tmp_path / "x.wav", values, RATE, subtype=subtype)
    (window,) = opened(tmp_path / "x.wav", 100)
    np.testing.assert_array_equal(window, values.astype(np.float32))


@with_files
@given(frames=st.integers(1, 70), length=st.integers(1, 30))
def test_windows_lie_one_behind_the_other(tmp_path: Path, frames: int, length: int) -> None:
    values = ramp(frames)
    windows = list(opened(save(tmp_path / "x.wav", values), 1, length))
    assert len(windows) == max(1, frames // length)
    assert all(window.shape == (1, length) for window in windows)
    joined = np.concatenate(windows, axis=1)[0]
    used = min(frames, len(joined))
    np.testing.assert_allclose(joined[:used], values[:used], atol=1e-4)
    assert not joined[used:].any()  # a recording shorter than a window is followed by silence


@pytest.mark.parametrize("shape", [(50,), (1, 50), (1, 50, 1), (50, 1)])
def test_several_channels_are_mixed_down_for_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    left, right = ramp(100), ramp(100, seed=1)
    samples = opened(save(tmp_path / "x.wav", np.stack([left, right], 1)), *shape)
    assert [window.shape for window in samples] == [shape, shape]
    mixed = np.concatenate([window.reshape(-1) for window in samples])
    np.testing.assert_allclose(mixed, (left + right) / 2, atol=1e-4)


def test_a_model_of_two_channels_gets_both(tmp_path: Path) -> None:
    both = np.stack([ramp(50), ramp(50, seed=1)], 1)
    (window,) = opened(save(tmp_path / "x.wav", both), 1, 50, 2)
    np.testing.assert_allclose(window[0], both, atol=1e-4)
    with pytest.raises(DatasetError, match=r"m\.wav: has 1 channels, but the model takes 2; .*-ac"):
        opened(save(tmp_path / "m.wav", ramp(50)), 1, 50, 2)


def test_folders_and_lists_of_recordings(tmp_path: Path) -> None:
    for index in range(3):
        save(tmp_path / "data" / f"{index}.wav", np.full(25, index / 4))
    (tmp_path / "data" / "labels.csv").write_text("file,label\n")
    soundfile.write(tmp_path / "data" / "3.flac", np.full(25, 3 / 4), RATE)
    samples = opened(tmp_path / "data", 1, 10)
    firsts = [round(4 * float(window[0, 0])) for window in samples]
    assert firsts == [0, 0, 1, 1, 2, 2, 3, 3]
    assert samples.name(3).endswith("1.wav from 0.001 s")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(samples))[5], samples[5])
    assert [round(4 * float(w[0, 0])) for w in samples.select([1, 6])] == [0, 3]
    (tmp_path / "list.txt").write_text("data/2.wav\ndata/0.wav\n")
    firsts = [round(4 * float(window[0, 0])) for window in opened(tmp_path / "list.txt", 1, 25)]
    assert firsts == [2, 0]


def test_another_rate_is_refused_with_what_to_do(tmp_path: Path) -> None:
    save(tmp_path / "a.wav", ramp(30))
    save(tmp_path / "b.wav", ramp(30), rate=44100)
    expected = r"b\.wav: has 44100 samples per second, but --audio_rate 8000 .*-ar 8000 '.*b_8000"
    with pytest.raises(DatasetError, match=expected):
        opened(tmp_path, 30)
    with pytest.raises(DatasetError, match=r"b\.wav: has 44100 .* but .*a\.wav has 8000"):
        opened(tmp_path, 30, rate=None)


def test_how_recordings_are_cut_is_told_and_their_rate_where_none_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.wav", ramp(80))
    assert len(opened(tmp_path, 40, rate=None)) == 2
    message = capsys.readouterr().err
    assert "2 windows of 40 samples, 0.005 seconds at 8000 a second" in message
    assert "--audio_rate 8000" in message
    opened(tmp_path, 40)
    message = capsys.readouterr().err
    assert "2 windows of 40 samples, 0.005 seconds at 8000 a second" in message
    assert "--audio_rate" not in message


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_recordings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = save(tmp_path / "x.wav", ramp(100))
    _cut(path, 144)
    with pytest.raises(DatasetError, match=r"x\.wav: is cut off, it has 144 of 244 bytes; copy"):
        opened(tmp_path, 50)
    for content in (b"", b"RIFF", b"no recording at all", b"RIFF\x04\0\0\0WAVE"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"x\.wav: cannot be read as a recording \("):
            opened(tmp_path, 50)
    save(path, ramp(100)[:0])
    with pytest.raises(DatasetError, match=r"x\.wav: holds no samples"):
        opened(tmp_path, 50)


@with_files
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4), st.integers(0, 244)
)
def test_damaged_recordings_are_refused_or_read(
    tmp_path: Path, damage: list[tuple[int, int]], size: int
) -> None:
    content = bytearray(save(tmp_path / "x.wav", ramp(100)).read_bytes())
    for position, value in damage:
        content[position] = value
    (tmp_path / "x.wav").write_bytes(content[:size])
    refused = ""
    windows: list[np.ndarray] = []
    try:
        windows = list(opened(tmp_path / "x.wav", 50, rate=None))
    except DatasetError as error:
        refused = str(error)
    assert bool(windows) != refused.startswith(str(tmp_path / "x.wav"))
    assert all(window.shape == (50,) and np.isfinite(window).all() for window in windows)


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0x7FFFF024, 0])
def test_a_header_written_before_the_size_was_known_does_not_matter(
    tmp_path: Path, declared: int
) -> None:
    path = save(tmp_path / "x.wav", ramp(100))
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack("<I", declared) + content[8:])
    assert len(opened(path, 50)) == 2


def test_values_that_are_not_finite_are_named(tmp_path: Path) -> None:
    values = ramp(100)
    values[60] = np.nan
    soundfile.write(tmp_path / "x.wav", values, RATE, subtype="FLOAT")
    samples = opened(tmp_path, 50)
    assert np.isfinite(samples[0]).all()
    with pytest.raises(DatasetError, match=r"x\.wav holds NaN or infinity"):
        list(samples)


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (1, 10, 3), ()])
def test_inputs_that_are_no_waveform_take_no_recordings(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    save(tmp_path / "x.wav", ramp(100))
    with pytest.raises(DatasetError, match=r"does not take recordings, .*pass that as a \.npy"):
        opened(tmp_path, *shape)


def test_an_open_length_cannot_be_cut_to(tmp_path: Path) -> None:
    save(tmp_path / "x.wav", ramp(100))
    with pytest.raises(ModelError, match="fixed length"):
        opened(tmp_path, 1, -1)


def test_what_is_missing_without_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "x.wav", ramp(100))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigError, match=r"pip install 'tflite-eq\[audio\]'"):
        opened(tmp_path, 50)
