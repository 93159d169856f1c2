"""Recordings: their headers, and windows of them as a model takes them.

libsndfile decodes, through the package soundfile: 8 to 32 bits, integers and floats, all to -1..1.
"""

from __future__ import annotations

import dataclasses
import importlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError, DatasetError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")

# Programs that write to a pipe do not know the size beforehand, and put in what is largest.
_UNKNOWN_SIZE = 0x7FFF0000


def is_audio(path: Path) -> bool:
    """Whether the name says that the file is a recording."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a file's header says.

    Attributes:
        path: The file.
        rate: Samples per second and channel.
        frames: Number of samples of each channel.
        channels: Number of channels.
    """

    path: Path
    rate: int
    frames: int
    channels: int

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Read the header.

        Raises:
            DatasetError: The file is no recording, is cut off or holds no samples.
            ConfigError: There is nothing to read it with.
        """
        _check_whole(path)
        try:
            info = _soundfile().info(str(path))
        except (RuntimeError, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if info.frames < 1:
            raise DatasetError(f"{path}: holds no samples; replace or remove the file")
        return cls(path, int(info.samplerate), int(info.frames), int(info.channels))

    def read(self, start: int, count: int) -> npt.NDArray[np.float32]:
        """Samples from ``start`` on, zeros where the recording is over.

        Returns:
            [count, channels], finite; within -1..1 but for files that hold floats.

        Raises:
            DatasetError: They cannot be read, or are not finite.
        """
        try:
            with _soundfile().SoundFile(str(self.path)) as stream:
                stream.seek(start)
                values = stream.read(count, dtype="float32", always_2d=True)
        except (RuntimeError, OSError, ValueError) as error:
            raise _unreadable(self.path, error) from error
        if len(values) < min(count, self.frames - start):
            raise _unreadable(self.path, EOFError("the data end too early"))
        if not np.isfinite(values).all():
            raise DatasetError(f"{self.path} holds NaN or infinity; repair the file or remove it")
        return np.pad(values, ((0, count - len(values)), (0, 0)))


def check_rate(recordings: Sequence[Recording], rate: int | None) -> int:
    """Make sure that all have the rate that was asked for, or the same where none was.

    Returns:
        Their rate.

    Raises:
        DatasetError: One has another rate.
    """
    wanted = recordings[0].rate if rate is None else rate
    for recording in recordings:
        if recording.rate == wanted:
            continue
        path = recording.path
        because = f"--audio_rate {rate} was asked for"
        if rate is None:
            because = f"{recordings[0].path} has {wanted}"
        resampled = path.with_name(f"{path.stem}_{wanted}.wav")
        raise DatasetError(
            f"{path}: has {recording.rate} samples per second, but {because}; resample what does "
            f"not have the model's rate: ffmpeg -i '{path}' -ar {wanted} '{resampled}'"
        )
    return wanted


def windows(recording: Recording, length: int) -> list[int]:
    """Where windows of so many samples begin: one behind the other, without an incomplete last one.

    A recording that is shorter than one window has one.
    """
    return list(range(0, max(recording.frames - length, 0) + 1, length))


def check_channels(recording: Recording, channels: int) -> None:
    """Make sure that a recording has as many channels as a model takes.

    Raises:
        DatasetError: It has not.
    """
    if recording.channels != channels:
        path = recording.path
        converted = path.with_name(f"{path.stem}_{channels}_channels.wav")
        raise DatasetError(
            f"{path}: has {recording.channels} channels, but the model takes {channels}; convert "
            f"it: ffmpeg -i '{path}' -ac {channels} '{converted}'"
        )


def _check_whole(path: Path) -> None:
    """Refuse a ``.wav`` file that ends before its header says; libsndfile would say nothing.

    Raises:
        DatasetError: It does, or cannot be opened.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(8)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such recording") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(start) < 8 or start[:4] != b"RIFF":
        return
    (declared,) = struct.unpack("<I", start[4:])
    if size < declared + 8 and declared < _UNKNOWN_SIZE:
        raise DatasetError(
            f"{path}: is cut off, it has {size} of {declared + 8} bytes; copy it again or remove it"
        )


def _soundfile() -> Any:
    """The package, which is needed for recordings alone.

    Raises:
        ConfigError: It is not installed, or its library is not there.
    """
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"reading recordings needs soundfile ({error}): pip install 'tflite-eq[audio]', or "
            "pass the samples as a .npy file"
        ) from error


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be read as a recording ({' '.join(str(error).split())}); replace or "
        "remove the file"
    )
