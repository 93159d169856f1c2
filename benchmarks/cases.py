"""A shared model with the images it is calibrated and measured on."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import shared_data
from tflite_eq.cli.models import load_float_model
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.evaluation.dispatch import available_cores
from tflite_eq.evaluation.evaluator import evaluate
from tflite_eq.evaluation.labels import LabelledSet, open_labelled
from tflite_eq.evaluation.task import NamedModel

SAMPLES = 50
MOST_SAMPLES = 200

# What draws are made of: calibration.csv's images, as many of CIFAR-10's training set.
_POOL = 300


@dataclasses.dataclass(frozen=True)
class Case:
    """One shared model and the data it is measured on."""

    name: str
    model: bytes
    path: pathlib.Path
    preprocessing: Preprocessing
    validation: LabelledSet
    calibration: list[npt.NDArray[np.float32]]

    def draw(self, number: int, count: int) -> list[npt.NDArray[np.float32]]:
        """Calibration samples: the first ones of the list in draw 0, else drawn at random."""
        if number == 0:
            return self.calibration[:count]
        chosen = np.random.default_rng(number).permutation(len(self.calibration))[:count]
        return [self.calibration[i] for i in chosen]

    def compare(self, models: Sequence[NamedModel]) -> list[dict[str, Any]]:
        """Evaluate quantized models against the float one on the validation images.

        Returns:
            By model: the runtime, and the evaluator's figures of the float model and of this one.
        """
        result = evaluate(
            models,
            self.validation,
            self.preprocessing,
            reference=NamedModel("float", self.model),
            num_workers=available_cores(),
        ).to_dict()
        reference, *measured = result["models"]
        return [
            {"runtime": result["runtime"], "float": reference, "quantized": figures}
            for figures in measured
        ]


def open_case(name: str, folder: pathlib.Path) -> Case:
    """Load a shared model with its data."""
    entry = shared_data.models()[name]
    preprocessing = shared_data.preprocessing(name)
    path = folder / entry["file"]
    images = folder / "images"
    if entry.get("dataset") == "cifar10":
        validation = open_labelled(images / "cifar10" / "cifar10_test_first1000.npz")
    else:
        validation = open_labelled(
            images, folder / "validation.csv", entry.get("label_column", "label")
        )
    calibration = shared_data.calibration(name, _POOL)
    return Case(name, load_float_model(str(path)), path, preprocessing, validation, calibration)
