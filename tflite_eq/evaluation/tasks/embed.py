"""Embeddings: whether two samples are of the same one, or how close to the float model's."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.arguments import described, is_integer
from tflite_eq.errors import DatasetError
from tflite_eq.evaluation.classifier import is_vector
from tflite_eq.evaluation.metrics import cosine
from tflite_eq.evaluation.tasks.base import Array, OneOutputTask, array_shown, same_shape
from tflite_eq.evaluation.tasks.figures import Entries, Figure, Mean, Pooled, Weighted


@dataclasses.dataclass(frozen=True)
class Embed(OneOutputTask):
    """A vector whose direction tells who or what a sample shows."""

    name: ClassVar[str] = "embed"
    takes: ClassVar[str] = "a vector"
    takes_truth: ClassVar[str] = "the number of who or what it shows"
    takes_labels: ClassVar[bool] = True

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """Accuracy of verification; without labels the cosine to the float model's vectors."""
        if has_truth:
            return (
                Figure(
                    "verification",
                    "verification",
                    "%",
                    True,
                    Pooled(_verification),
                    2,
                    "accuracy of telling pairs of the same from pairs of different ones, all "
                    "pairs, both kinds weighing the same, by the cosine and the best threshold",
                ),
            )
        return (
            Figure(
                "cosine",
                "cosine",
                "",
                True,
                Mean(_similarity),
                5,
                "cosine between the vector and the float model's, mean over the samples",
            ),
        )

    def fits(self, value: Array) -> bool:
        """Whether it is a vector."""
        return value.dtype.kind == "f" and is_vector(value.shape)

    def form(self, value: Any) -> npt.NDArray[np.float64]:
        """The vector."""
        found = self.array(value)
        if not is_vector(found.shape):
            raise self.other_kind(array_shown(found))
        return found.reshape(-1).astype(np.float64)

    def truth(self, value: Any) -> int:
        """The number."""
        number = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        if not is_integer(number):
            raise DatasetError(
                f"task embed: expected {self.takes_truth}, found {described(value)}; give labels "
                "as whole numbers"
            )
        return int(number)

    def scored(self, predicted: Any, expected: Any) -> Any:
        """The vector's direction with the label, or the cosine."""
        if isinstance(expected, int):
            return predicted / (np.linalg.norm(predicted) or 1.0), expected
        same_shape(self, predicted, expected)
        return cosine(predicted, expected)

    def check(self, entries: Entries, has_truth: bool) -> None:
        """Refuse labels that make pairs of one kind only."""
        if not has_truth:
            return
        kinds = {label for _, label in entries}
        if len(kinds) < 2 or len(kinds) == len(entries):
            raise DatasetError(
                f"task embed: {len(entries)} samples of {len(kinds)} labels make no pairs of "
                f"{'different ones' if len(kinds) < 2 else 'the same'}; give at least two samples "
                "of one and two different ones"
            )


def _similarity(entry: float) -> float:
    return entry


def _verification(entries: Entries) -> Weighted:
    vectors = np.stack([vector for vector, _ in entries])
    labels = np.array([label for _, label in entries])
    first, second = np.triu_indices(len(entries), 1)
    similarity = (vectors @ vectors.T)[first, second]
    order = np.argsort(-similarity, kind="stable")
    first, second, similarity = first[order], second[order], similarity[order]
    same = labels[first] == labels[second]
    # A threshold lies between two different values only.
    ends = np.append(np.flatnonzero(np.diff(similarity)), len(similarity) - 1)

    def figure(counts: npt.NDArray[np.int64]) -> float:
        weight = counts[first] * counts[second]
        accepted_same = np.cumsum(np.where(same, weight, 0))
        accepted_other = np.cumsum(np.where(same, 0, weight))
        if not accepted_same[-1] or not accepted_other[-1]:
            return math.nan
        hits = accepted_same[ends] / accepted_same[-1]
        rejected = 1 - accepted_other[ends] / accepted_other[-1]
        return float(50 * max(1.0, (hits + rejected).max()))

    return figure
