"""Points on a face, a hand or a body: normalised mean error."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError, ModelError
from tflite_eq.evaluation.tasks.base import (
    Array,
    OneOutputTask,
    array_shown,
    checked_option,
    same_shape,
)
from tflite_eq.evaluation.tasks.figures import Figure, Mean, Rate


@dataclasses.dataclass(frozen=True)
class Landmarks(OneOutputTask):
    """Points. An error is a mean distance by the size of what the points are on.

    That size is the square root of the area of the box around the expected points, in their first
    two coordinates, which needs no point of a certain meaning.

    Attributes:
        dimensions: Values of each point; 0 takes a last dimension of 2 or 3.
        coordinates: How many of these, the first ones, are coordinates; 0 for all. A score behind
            them is none.
        failure: Error in percent from which on a sample counts as failed.
    """

    dimensions: int = 0
    coordinates: int = 0
    failure: float = 10.0

    name: ClassVar[str] = "landmarks"
    takes: ClassVar[str] = (
        "points [..., number, 2 or 3], or a vector of their coordinates with "
        "--task_option dimensions=D"
    )
    takes_truth: ClassVar[str] = "points as the model gives them, [number, dimensions]"

    def __post_init__(self) -> None:
        """Check the options."""
        allowed = self.dimensions == 0 or self.dimensions >= 2
        checked_option(
            self.name, "dimensions", allowed, self.dimensions, "2 or more values of each point"
        )
        allowed = self.coordinates == 0 or self.coordinates >= 2
        checked_option(
            self.name, "coordinates", allowed, self.coordinates, "2 or more of a point's values"
        )
        checked_option(self.name, "failure", self.failure > 0, self.failure, "a percentage above 0")

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """Normalised mean error, and rate of failures."""
        of = "the ground truth" if has_truth else "the float model"
        return (
            Figure(
                "nme",
                "NME",
                "%",
                False,
                Mean(_error),
                3,
                f"mean distance of the points to those of {of}, by the square root of the area "
                "of the box around these; mean over the samples",
            ),
            Figure(
                "failures",
                f"NME > {self.failure:g} %",
                "%",
                False,
                Rate(_Failed(self.failure)),
                1,
                f"share of samples with an error above {self.failure:g} %",
            ),
        )

    def fits(self, value: Array) -> bool:
        """Whether it can be at least two points."""
        if self.dimensions:
            return value.size >= 2 * self.dimensions and value.size % self.dimensions == 0
        return bool(value.size >= 4 and value.dtype.kind == "f")

    def form(self, value: Any) -> npt.NDArray[np.float64]:
        """The points, [number, coordinates]."""
        found = self.array(value)
        dimensions = self.dimensions or (found.shape[-1] if found.ndim > 1 else 0)
        if not self.dimensions and dimensions not in (2, 3):
            if not any(found.size % number == 0 and found.size >= 2 * number for number in (2, 3)):
                raise self.other_kind(array_shown(found))
            ways = " or ".join(
                f"dimensions={number} ({found.size // number} points)"
                for number in (3, 2)
                if found.size % number == 0
            )
            raise ModelError(
                f"task landmarks: of how many values each point is cannot be seen, found "
                f"{array_shown(found)}; give --task_option {ways}"
            )
        if found.size < 2 * dimensions or found.size % dimensions:
            raise self.other_kind(
                f"{array_shown(found)}, {found.size} values, which are no points of {dimensions}"
            )
        coordinates = self.coordinates or dimensions
        if coordinates > dimensions:
            raise self.other_kind(
                f"points of {dimensions} values, of which {coordinates} cannot be coordinates"
            )
        return found.reshape(-1, dimensions)[:, :coordinates].astype(np.float64)

    def scored(self, predicted: Any, expected: Any) -> float:
        """Mean distance in percent of the size of the box."""
        same_shape(self, predicted, expected)
        width, height = np.ptp(expected[:, :2], axis=0)
        size = float(np.sqrt(width * height))
        if not size > 0:
            raise DatasetError(
                "task landmarks: the expected points are in one line, which has no size to "
                "measure errors by; remove the sample, or judge with --metric module:function"
            )
        return float(100 * np.linalg.norm(predicted - expected, axis=1).mean() / size)


@dataclasses.dataclass(frozen=True)
class _Failed:
    """Whether an error is above a bound."""

    bound: float

    def __call__(self, entry: float) -> bool:
        return entry > self.bound


def _error(entry: float) -> float:
    return entry
