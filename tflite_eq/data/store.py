"""Activations of many samples, kept in memory up to a budget and on disk beyond it."""

from __future__ import annotations

import pathlib
import tempfile
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import TfliteEqError

Array = npt.NDArray[Any]

MEMORY_BUDGET = 160 << 20  # bytes


class ActivationStore:
    """Arrays by (key, sample); peak memory does not depend on the number of samples.

    Use as a context manager: the spill directory vanishes on exit.
    """

    def __init__(self, memory_budget: int | None = None) -> None:
        """Keep at most ``memory_budget`` bytes in memory, ``MEMORY_BUDGET`` if it is ``None``."""
        self._budget = MEMORY_BUDGET if memory_budget is None else memory_budget
        self._used = 0
        self._memory: dict[tuple[str, int], dict[int, Array]] = {}
        self._directory = tempfile.TemporaryDirectory(prefix="tflite_eq_")
        self._files: dict[tuple[str, int], dict[int, int]] = {}  # number of each file
        self._serial = 0

    def __enter__(self) -> ActivationStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
        self._forget(key, sample)
        if self._used + values.nbytes <= self._budget:
            self._memory.setdefault(key, {})[sample] = values
            self._used += values.nbytes
            return
        try:
            np.save(self._path(self._serial), values, allow_pickle=False)
        except OSError as error:
            raise TfliteEqError(
                f"{self._directory.name}: values beyond {self._budget >> 20} MiB cannot be kept "
                f"there: {error.strerror or error}; name a folder with more room by TMPDIR, "
                "or give fewer samples"
            ) from error
        self._files.setdefault(key, {})[sample] = self._serial
        self._serial += 1

    def get(self, network: str, tensor: int, sample: int) -> Array:
        """Values stored before; treat them as read-only."""
        key = (network, tensor)
        held = self._memory.get(key, {}).get(sample)
        if held is not None:
            return held
        loaded: Array = np.load(self._path(self._files[key][sample]), allow_pickle=False)
        return loaded

    def drop(self, network: str, tensor: int) -> None:
        """Forget a tensor for all samples."""
        key = (network, tensor)
        for sample in [*self._memory.get(key, {}), *self._files.get(key, {})]:
            self._forget(key, sample)
        self._memory.pop(key, None)
        self._files.pop(key, None)

    def _forget(self, key: tuple[str, int], sample: int) -> None:
        held = self._memory.get(key, {}).pop(sample, None)
        if held is not None:
            self._used -= held.nbytes
        serial = self._files.get(key, {}).pop(sample, None)
        if serial is not None:
            self._path(serial).unlink()

    def _path(self, serial: int) -> pathlib.Path:
        return pathlib.Path(self._directory.name) / f"{serial}.npy"
