"""Activations of many samples, kept in memory up to a budget and on disk beyond it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import TfliteEqError

Array = npt.NDArray[Any]

_Closing = TypeVar("_Closing", bound="Closing")

MEMORY_BUDGET = 160 << 20  # bytes

# Files are mapped page by page. Elsewhere than on POSIX systems what is written to a file need not
# show in its pages.
_MAPS = os.name == "posix"
_PAGE = mmap.ALLOCATIONGRANULARITY


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

    Use as a context manager: what is on disk vanishes on exit.
    """

    def __init__(self, memory_budget: int | None = None) -> None:
        """Keep at most ``memory_budget`` bytes in memory, ``MEMORY_BUDGET`` if it is ``None``."""
        self._budget = MEMORY_BUDGET if memory_budget is None else memory_budget
        self._used = 0
        self._memory: dict[tuple[str, int], dict[int, Array]] = {}
        self._places: dict[tuple[str, int], dict[int, _Place]] = {}
        self._file = _SpillFile()

    def close(self) -> None:
        """Forget everything."""
        self._memory.clear()
        self._places.clear()
        self._file.close()

    def put(
        self, network: str, tensor: int, sample: int, values: Array, lent: bool = False
    ) -> None:
        """Store one sample's values of a tensor, replacing earlier ones.

        Args:
            network: Whose tensor it is.
            tensor: Its index.
            sample: Number of the sample.
            values: The values; they are not copied
            lent: unless somebody else will overwrite them.

        Raises:
            TfliteEqError: The disk is full.
        """
        key = (network, tensor)
        held = self._memory.get(key, {}).pop(sample, None)
        if held is not None:
            self._used -= held.nbytes
        place = self._places.get(key, {}).pop(sample, None)
        if place is not None:
            self._file.free([place])
        if self._used + values.nbytes <= self._budget:
            self._memory.setdefault(key, {})[sample] = values.copy() if lent else values
            self._used += values.nbytes
            return
        try:
            self._places.setdefault(key, {})[sample] = self._file.write(values)
        except OSError as error:
            raise TfliteEqError(
                f"{tempfile.gettempdir()}: values beyond {self._budget >> 20} MiB cannot be kept "
                f"there: {error.strerror or error}; name a folder with more room by TMPDIR, "
                "or give fewer samples"
            ) from error

    def get(self, network: str, tensor: int, sample: int) -> Array:
        """Values stored before, read-only; of a file they hold until their place is used again."""
        key = (network, tensor)
        held = self._memory.get(key, {}).get(sample)
        return self._file.read(self._places[key][sample]) if held is None else held

    def change(
        self, network: str, tensor: int, sample: int, function: Callable[[Array], None]
    ) -> None:
        """Have a function change values in place: at once, or on disk whenever they are read.

        Args:
            network: As for ``put``.
            tensor: As for ``put``.
            sample: As for ``put``.
            function: Changes an array; the same way each time, since writing is dearer than that.
        """
        key = (network, tensor)
        held = self._memory.get(key, {}).get(sample)
        if held is not None:
            function(held)
            return
        place = self._places[key][sample]
        changed = dataclasses.replace(place, changes=(*place.changes, function))
        self._places[key][sample] = changed

    def drop(self, network: str, tensor: int) -> None:
        """Forget a tensor for all samples."""
        key = (network, tensor)
        self._used -= sum(values.nbytes for values in self._memory.pop(key, {}).values())
        self._file.free(self._places.pop(key, {}).values())


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where values are in a file.

    Attributes:
        start: The first byte.
        room: How many bytes are theirs, whole pages.
        shape: Of the values.
        dtype: Of the values.
        changes: What is to be done to them, since they were written.
    """

    start: int
    room: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    changes: tuple[Callable[[Array], None], ...] = ()


class _SpillFile:
    """Values in a file that is made when it is needed.

    The file has no name where the system allows that, so that nothing is left of it however this
    process ends. What is not needed any more is overwritten: giving a file pages that it does not
    have yet takes the system eight times as long as writing to those that it has.
    """

    def __init__(self) -> None:
        """Make no file yet."""
        self._opened: io.FileIO | None = None
        self._end = 0
        self._free: list[tuple[int, int]] = []  # first byte and size of stretches, ascending

    def write(self, values: Array) -> _Place:
        """Store values where there is room."""
        room = -(-values.nbytes // _PAGE) * _PAGE
        place = _Place(self._allocated(room), room, values.shape, values.dtype)
        file = self._at(place.start)
        left = _bytes_of(np.ascontiguousarray(values))
        while left:  # the system may take less at a time
            left = left[file.write(left) :]
        return place

    def read(self, place: _Place) -> Array:
        """Stored values with their changes; without any, the file's own pages."""
        if _MAPS and not place.changes and 0 not in place.shape:
            self._at(place.start)
            assert self._opened is not None
            size = math.prod(place.shape) * place.dtype.itemsize
            with contextlib.suppress(OSError):  # where files cannot be mapped
                pages = mmap.mmap(
                    self._opened.fileno(), size, access=mmap.ACCESS_COPY, offset=place.start
                )
                return np.frombuffer(pages, place.dtype).reshape(place.shape)
        values = np.empty(place.shape, place.dtype)
        file, left = self._at(place.start), _bytes_of(values)
        while left and (count := file.readinto(left)):
            left = left[count:]
        for change in place.changes:
            change(values)
        return values

    def close(self) -> None:
        """Delete the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _at(self, start: int) -> io.FileIO:
        """The file, open and unbuffered, at a byte."""
        if self._opened is None:
            self._opened = tempfile.TemporaryFile(  # noqa: SIM115 - `close` closes it
                buffering=0, prefix="tflite_eq_"
            )
        self._opened.seek(start)
        return self._opened

    def free(self, places: Iterable[_Place]) -> None:
        """Let places be used again."""
        merged: list[tuple[int, int]] = []
        for start, size in sorted([*self._free, *((place.start, place.room) for place in places)]):
            if merged and sum(merged[-1]) == start:
                merged[-1] = merged[-1][0], merged[-1][1] + size
            else:
                merged.append((start, size))
        self._free = merged

    def _allocated(self, room: int) -> int:
        """The first byte of so many that are free from now on: the smallest stretch, or the end."""
        fitting = [stretch for stretch in self._free if stretch[1] >= room]
        if not fitting:
            self._end += room
            return self._end - room
        start, size = min(fitting, key=lambda stretch: stretch[1])
        self._free.remove((start, size))
        if size > room:
            self._free.append((start + room, size - room))
        return start


def _bytes_of(values: Array) -> memoryview:
    """The bytes of a contiguous array, to read or to overwrite."""
    return values.reshape(-1).view(np.uint8).data
