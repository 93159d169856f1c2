"""Where the trained models and the ImageNet and CIFAR images are, for tests that need them.

They are too large for the repository and not ours to hand on. ``TFLITE_EQ_DATA`` names
their folder; without it ``../shared/data`` beside the repository is tried.
"""

from __future__ import annotations

import csv
import functools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_data
from tflite_eq.graph.inputs import ModelInput

_REPOSITORY = Path(__file__).resolve().parent.parent


def folder() -> Path | None:
    """The data folder, or None when there is none."""
    named = os.environ.get("TFLITE_EQ_DATA")
    candidate = Path(named) if named else _REPOSITORY.parent / "shared" / "data"
    return candidate if (candidate / "models.json").is_file() else None


needs_shared_data = pytest.mark.skipif(
    folder() is None,
    reason="needs the trained models and images: set TFLITE_EQ_DATA to their folder",
)


def path(relative: str) -> Path:
    """A file or folder of the shared data; skips the running test when it is not there."""
    root = folder()
    if root is None or not (root / relative).exists():
        pytest.skip(f"shared data: {relative} is absent; set TFLITE_EQ_DATA to its folder")
    return root / relative


def zoo(name: str) -> Path:
    """A real model beside the shared data; skips the running test when it is not there."""
    return _beside("zoo", name)


def repro(name: str) -> Path:
    """A small input that once failed, beside the shared data; skips as ``zoo`` does."""
    return _beside("repro/quantizer", name)


def _beside(where: str, name: str) -> Path:
    root = folder()
    if root is None or not (root.parent / where / name).exists():
        pytest.skip(
            f"shared data: {where}/{name} is absent; set TFLITE_EQ_DATA to the folder beside it"
        )
    return root.parent / where / name


@functools.lru_cache(maxsize=1)
def models() -> dict[str, dict[str, Any]]:
    """What ``models.json`` says about each model: file, size, mean, std, classes."""
    described = json.loads(path("models.json").read_text())
    return {name: entry for name, entry in described.items() if not name.startswith("_")}


def preprocessing(name: str) -> Preprocessing:
    """What a model expects to be done to pixels."""
    entry = models()[name]
    return Preprocessing(tuple(entry["mean"]), tuple(entry["std"]))


def calibration(name: str, count: int) -> list[npt.NDArray[np.float32]]:
    """The first samples to calibrate a model on: of calibration.csv, or CIFAR-10's training set."""
    return _calibration(name, slice(count))


def last_calibration(name: str, count: int) -> list[npt.NDArray[np.float32]]:
    """The last samples of the same list, for measurements that calibration must not have seen."""
    return _calibration(name, slice(-count, None))


def _calibration(name: str, chosen: slice) -> list[npt.NDArray[np.float32]]:
    entry = models()[name]
    images = path("images")
    if entry.get("dataset") == "cifar10":
        train = np.load(images / "cifar10" / "cifar10_train_first4000.npz")
        pixels = next(train[key] for key in train.files if train[key].ndim == 4)[chosen]
        return [preprocessing(name).normalize(image)[np.newaxis] for image in pixels]
    with open(path("calibration.csv"), newline="") as rows:
        names = [row["file"] for row in csv.DictReader(rows)][chosen]
    with tempfile.TemporaryDirectory() as scratch:
        listing = Path(scratch) / "calibration.txt"
        listing.write_text("\n".join(str(images / n) for n in names))
        taker = ModelInput.of_shape([1, entry["size"], entry["size"], 3])
        return list(open_data([listing], [taker], preprocessing(name)))
