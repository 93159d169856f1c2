"""Samples that end the process reading them; apart, so that workers load little else."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.evaluation.labels import LabelledSet


class Crashing(LabelledSet, Samples):
    """Ends the process that reads sample 20, as a crash in a native library would."""

    labels = (0,) * 40
    shape = (1, 8, 8, 3)

    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        return self

    def where(self, index: int) -> str:
        return str(index)

    name = where

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        if index == 20:
            os._exit(11)
        return np.zeros(self.shape, np.float32)


class CrashingOnce(Crashing):
    """Kills the first process that reads sample 20, as the end of a machine would."""

    def __init__(self, count: int, marker: Path) -> None:
        self.labels = (0,) * count
        self._marker = marker

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        if index == 20 and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full(self.shape, index, np.float32)
