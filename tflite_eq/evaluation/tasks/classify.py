"""Classes: the right one first, or the float model's."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from tflite_eq.arguments import described, is_integer
from tflite_eq.errors import DatasetError
from tflite_eq.evaluation.classifier import is_vector
from tflite_eq.evaluation.tasks.base import Array, OneOutputTask, array_shown, checked_option
from tflite_eq.evaluation.tasks.figures import Figure, Rate


@dataclasses.dataclass(frozen=True)
class Classify(OneOutputTask):
    """A vector of scores, of which the largest tells the class. Of equal ones the lower class wins.

    Attributes:
        k: How many of the largest count for top-k.
    """

    k: int = 5

    name: ClassVar[str] = "classify"
    takes: ClassVar[str] = "a vector of scores, one for each class"
    takes_truth: ClassVar[str] = "the number of the class, from 0"
    takes_labels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options."""
        checked_option(self.name, "k", self.k >= 1, self.k, "a number of classes above 0")

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """Top-1 and top-k; without labels agreement with the float model and its top-k."""
        first, top = Rate(_is_first), Rate(_is_in_top)
        if has_truth:
            return (
                Figure("top1", "top-1", "%", True, first, 1, "the right class has the top score"),
                Figure(
                    f"top{self.k}",
                    f"top-{self.k}",
                    "%",
                    True,
                    top,
                    1,
                    f"the right class is among the {self.k} largest scores",
                ),
            )
        return (
            Figure(
                "agreement",
                "agreement",
                "%",
                True,
                first,
                1,
                "the largest score is that of the float model's class",
            ),
            Figure(
                f"top{self.k}_agreement",
                f"top-{self.k} agreement",
                "%",
                True,
                top,
                1,
                f"the float model's class is among the {self.k} largest scores",
            ),
        )

    def fits(self, value: Array) -> bool:
        """Whether it is a vector."""
        return value.dtype.kind in "fiu" and is_vector(value.shape)

    def form(self, value: Any) -> Array:
        """The scores, [classes]."""
        scores = self.array(value)
        if not self.fits(scores):
            raise self.other_kind(array_shown(scores))
        return scores.reshape(-1)

    def truth(self, value: Any) -> Any:
        """The class."""
        number = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        if not is_integer(number):
            raise DatasetError(
                f"task classify: expected {self.takes_truth}, found {described(value)}; "
                "give labels as whole numbers"
            )
        return int(number)

    def scored(self, predicted: Any, expected: Any) -> tuple[bool, bool]:
        """Whether the expected class is first, and whether it is among the largest."""
        label = expected if isinstance(expected, int) else int(np.argmax(expected))
        if not 0 <= label < len(predicted):
            raise DatasetError(
                f"task classify: label {label} is outside 0..{len(predicted) - 1}, the model's "
                "classes; labels count from 0, so shift them or choose others"
            )
        better = (predicted > predicted[label]).sum()
        rank = int(better + (predicted[:label] == predicted[label]).sum())
        return rank == 0, rank < self.k


def _is_first(entry: tuple[bool, bool]) -> bool:
    return entry[0]


def _is_in_top(entry: tuple[bool, bool]) -> bool:
    return entry[1]
