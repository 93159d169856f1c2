"""Classes of pixels: mean intersection over union."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError, ModelError
from tflite_eq.evaluation.tasks.base import Array, OneOutputTask, array_shown, listed_numbers
from tflite_eq.evaluation.tasks.figures import Entries, Figure, Pooled, Weighted

_NO_THRESHOLD = math.nan


@dataclasses.dataclass(frozen=True)
class Segment(OneOutputTask):
    """A class for every pixel: the largest of several channels, whole numbers, or a threshold.

    Attributes:
        ignore: Pixels of the ground truth that hold this number are left out.
        threshold: Value from which on a pixel of the one channel of a network is foreground, 1.
    """

    ignore: int = 255
    threshold: float = _NO_THRESHOLD

    name: ClassVar[str] = "segment"
    takes: ClassVar[str] = (
        "a map [height, width, channels] with a channel for each class, a map of whole numbers, or "
        "one channel with --task_option threshold=T"
    )
    takes_truth: ClassVar[str] = "a mask [height, width] of class numbers"

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """Mean IoU, and share of right pixels."""
        of = "the ground truth's" if has_truth else "the float model's"
        return (
            Figure(
                "mean_iou",
                "mean IoU",
                "%",
                True,
                Pooled(_mean_iou),
                2,
                f"intersection over union with {of} regions, pixels of all samples, mean over the "
                "classes in either",
            ),
            Figure(
                "pixel_accuracy",
                "pixels",
                "%",
                True,
                Pooled(_pixel_accuracy),
                2,
                f"share of the pixels that have {of} class",
            ),
        )

    def fits(self, value: Array) -> bool:
        """Whether it is a map."""
        shape = value.shape[1:] if len(value.shape) > 2 and value.shape[0] == 1 else value.shape
        return len(shape) in (2, 3) and shape[0] > 1 and shape[1] > 1

    def form(self, value: Any) -> Array:
        """The classes, [height, width]."""
        found = self.array(value)
        if not self.fits(found):
            raise self.other_kind(array_shown(found))
        plane = found[0] if found.ndim > 2 and found.shape[0] == 1 else found
        if plane.ndim == 3 and plane.shape[-1] > 1:
            return _small(plane.argmax(axis=-1))
        plane = plane.reshape(plane.shape[:2])
        if plane.dtype.kind in "iub":
            if plane.dtype.kind == "i" and plane.min() < 0:
                raise self.other_kind(f"class {int(plane.min())}")
            return _small(plane)
        if math.isnan(self.threshold):
            raise ModelError(
                "task segment: the map has one channel of real values, and which of them are "
                f"foreground is not said (found {plane.min():.3g} to {plane.max():.3g}); give "
                "--task_option threshold=0.5 for probabilities, threshold=0 for logits"
            )
        return _small(plane >= self.threshold)

    def truth(self, value: Any) -> Array:
        """The mask, [height, width]; images may have a channel of 1."""
        mask = np.asarray(value)
        if mask.dtype.kind not in "iub" or mask.squeeze().ndim != 2:
            raise DatasetError(
                f"task segment: expected {self.takes_truth}, found {array_shown(mask)}; store "
                "class numbers as integers, images with a palette or in grey"
            )
        return _small(mask.squeeze())

    def scored(self, predicted: Any, expected: Any) -> npt.NDArray[np.int64]:
        """[classes, 2]: pixels in both and in either."""
        expected = _of_size(expected, predicted.shape)
        counted = expected != self.ignore
        own, other = predicted[counted].astype(np.int64), expected[counted].astype(np.int64)
        classes = int(max(own.max(initial=0), other.max(initial=0))) + 1
        both = np.bincount(own[own == other], minlength=classes)
        either = np.bincount(own, minlength=classes) + np.bincount(other, minlength=classes) - both
        return np.stack([both, either], axis=1)

    def doubts(self, entries: Entries) -> tuple[str, ...]:
        """Not a single pixel may have the expected class."""
        if any(entry[:, 0].any() for entry in entries):
            return ()
        found = _table(entries).sum(axis=0)[:, 1].nonzero()[0].tolist()
        return (
            "no pixel has the class that is expected of it; do the numbers of classes mean the "
            f"same (those of either are {listed_numbers(found)}), and is the preprocessing right?",
        )

    def check(self, entries: Entries, has_truth: bool) -> None:
        """Refuse masks without any pixel."""
        if not any(entry[:, 1].any() for entry in entries):
            raise DatasetError(
                f"task segment: every pixel of the ground truth is {self.ignore}, which is left "
                "out; choose another number with --task_option ignore=-1"
            )


def _of_size(mask: Array, size: tuple[int, ...]) -> Array:
    """A mask of the whole image at another size: of every pixel the nearest one."""
    if mask.shape == size:
        return mask
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, mask.shape)
    )
    resized: Array = mask[np.ix_(rows, columns)]
    return resized


def _small(classes: Array) -> Array:
    """In the smallest type: maps of all samples may have to be kept."""
    return classes.astype(np.min_scalar_type(int(classes.max(initial=0))))


def _table(entries: Entries) -> npt.NDArray[np.int64]:
    """[samples, classes, 2]."""
    table = np.zeros((len(entries), max(len(entry) for entry in entries), 2), np.int64)
    for row, entry in zip(table, entries):
        row[: len(entry)] = entry
    return table


def _mean_iou(entries: Entries) -> Weighted:
    table = _table(entries)

    def figure(counts: npt.NDArray[np.int64]) -> float:
        both, either = np.tensordot(counts, table, 1).T
        seen = either > 0
        return float(100 * (both[seen] / either[seen]).mean()) if seen.any() else math.nan

    return figure


def _pixel_accuracy(entries: Entries) -> Weighted:
    # A wrong pixel is in the union of two classes, a right one in that of one.
    sums = _table(entries).sum(axis=1)

    def figure(counts: npt.NDArray[np.int64]) -> float:
        both, either = counts @ sums
        pixels = (both + either) / 2
        return float(100 * both / pixels) if pixels else math.nan

    return figure
