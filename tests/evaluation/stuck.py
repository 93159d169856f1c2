"""An evaluation whose workers never finish: run as a process of its own, to be killed.

usage: python -m tests.evaluation.stuck MODEL FOLDER

Every worker leaves a file in FOLDER whose name is its process id.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.evaluation.crashing import Crashing
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.evaluation.evaluator import evaluate
from tflite_eq.evaluation.task import NamedModel


class Stuck(Crashing):
    """Samples that take for ever to read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        Path(self._folder, str(os.getpid())).touch()
        time.sleep(3600)
        raise AssertionError("was not killed")


if __name__ == "__main__":
    model = NamedModel("float", Path(sys.argv[1]).read_bytes())
    evaluate([model], Stuck(sys.argv[2]), Preprocessing(), num_workers=2)
