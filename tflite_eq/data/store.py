"""Activations of many samples, kept in memory up to a budget and on disk beyond it."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import TfliteEqError

Array = npt.NDArray[Any]

_Closing = TypeVar("_Closing", bound="Closing")

MEMORY_BUDGET = 160 << 20  # bytes


class Closing:
    """What is closed at the end of a ``with`` block."""

    def close(self) -> None:
        """Let go of what is held."""

    def __enter__(self: _Closing) -> _Closing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ActivationStore(Closing):
    """Arrays by (key, sample); peak memory does not depend on the number of samples.

    Use as a context manager: the spill directory vanishes on exit.
    """

    def __init__(self, memory_budget: int | None = None) -> None:
        """Keep at most ``memory_budget`` bytes in memory, ``MEMORY_BUDGET`` if it is ``None``."""
        self._budget = MEMORY_BUDGET if memory_budget is None else memory_budget
        self._used = 0
        self._memory: dict[tuple[str, int], dict[int, Array]] = {}
        self._directory = tempfile.TemporaryDirectory(prefix="tflite_eq_")
        self._files: dict[tuple[str, int], _SpillFile] = {}
        self._serial = 0

    def close(self) -> None:
        """Forget everything."""
        self._memory.clear()
        self._files.clear()
        self._directory.cleanup()

    def put(self, network: str, tensor: int, sample: int, values: Array) -> None:
        """Store one sample's values of a tensor, replacing earlier ones.

        Raises:
            TfliteEqError: The disk is full.
        """
        key = (network, tensor)
        held = self._memory.get(key, {}).pop(sample, None)
        if held is not None:
            self._used -= held.nbytes
        if self._used + values.nbytes <= self._budget:
            self._memory.setdefault(key, {})[sample] = values
            self._used += values.nbytes
            return
        if key not in self._files:
            path = pathlib.Path(self._directory.name) / f"{self._serial}.values"
            self._files[key] = _SpillFile(path)
            self._serial += 1
        try:
            self._files[key].write(sample, values)
        except OSError as error:
            raise TfliteEqError(
                f"{self._directory.name}: values beyond {self._budget >> 20} MiB cannot be kept "
                f"there: {error.strerror or error}; name a folder with more room by TMPDIR, "
                "or give fewer samples"
            ) from error

    def get(self, network: str, tensor: int, sample: int) -> Array:
        """Values stored before; treat them as read-only."""
        key = (network, tensor)
        held = self._memory.get(key, {}).get(sample)
        return self._files[key].read(sample) if held is None else held

    def drop(self, network: str, tensor: int) -> None:
        """Forget a tensor for all samples."""
        key = (network, tensor)
        self._used -= sum(values.nbytes for values in self._memory.pop(key, {}).values())
        spilled = self._files.pop(key, None)
        if spilled is not None:
            spilled.path.unlink()


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where one sample's values are in a file: the first byte, and how many may be used."""

    start: int
    room: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _SpillFile:
    """One tensor's values on disk.

    A sample's later values overwrite its earlier ones: most are written two or three times, and
    the system takes a multiple of the time to give a file pages that it does not have yet.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Make an empty file."""
        self.path = path
        self._places: dict[int, _Place] = {}
        self._end = 0
        path.touch()

    def write(self, sample: int, values: Array) -> None:
        """Store one sample's values."""
        place = self._places.get(sample)
        if place is None or place.room < values.nbytes:
            start, room = self._end, values.nbytes
            self._end += room
        else:
            start, room = place.start, place.room
        with self.path.open("r+b", buffering=0) as file:
            file.seek(start)
            np.ascontiguousarray(values).tofile(file)
        self._places[sample] = _Place(start, room, values.shape, values.dtype)

    def read(self, sample: int) -> Array:
        """One sample's values."""
        place = self._places[sample]
        count = int(np.prod(place.shape, dtype=np.int64))
        with self.path.open("rb", buffering=0) as file:
            values = np.fromfile(file, place.dtype, count, offset=place.start)
        return values.reshape(place.shape)
