"""Average precision and F1 of matched boxes, for samples that count any number of times.

The definition is COCO's. Its own library adds up all samples once; a bootstrap does so some hundred
times, hence the sums here are vectors over IoUs and take weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation.tasks.figures import Weighted

Counts = npt.NDArray[np.int64]

# Overlaps from which on a box counts as found.
IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

_RECALLS = np.linspace(0, 1, 101)


@dataclasses.dataclass(frozen=True)
class CategoryMatches:
    """Detections of one class in all samples, the best scores first.

    Attributes:
        samples: Sample of each detection, [detections].
        scores: [detections].
        right: Whether a box was found, [IoUs, detections].
        counted: Whether a detection counts at all: not if it is of a crowd, [IoUs, detections].
        positives: Boxes to be found, [samples].
    """

    samples: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    positives: npt.NDArray[np.int64]

    @classmethod
    def of(cls, images: Sequence[Any]) -> CategoryMatches:
        """From what pycocotools says of every sample; ``None`` where there is nothing of the class.

        Args:
            images: Its ``evalImgs`` of the class.
        """
        found = [(number, image) for number, image in enumerate(images) if image is not None]
        positives = np.zeros(len(images), np.int64)
        for number, image in found:
            positives[number] = np.count_nonzero(np.asarray(image["gtIgnore"]) == 0)
        samples = [np.full(len(image["dtScores"]), number) for number, image in found]
        scores = np.concatenate([np.asarray(i["dtScores"], np.float64) for _, i in found])
        matches = np.concatenate([np.asarray(i["dtMatches"]) for _, i in found], axis=1)
        ignored = np.concatenate([np.asarray(i["dtIgnore"]) for _, i in found], axis=1)
        order = np.argsort(-scores, kind="mergesort")
        return cls(
            np.concatenate(samples).astype(np.int64)[order],
            scores[order],
            (matches != 0)[:, order],
            (ignored == 0)[:, order],
            positives,
        )


@dataclasses.dataclass(frozen=True)
class AveragePrecision:
    """Mean over classes, IoUs and recalls of the best precision at that recall or above, in %.

    Attributes:
        ious: Those of ``IOUS`` that it is a mean over, the first ones.
    """

    ious: tuple[float, ...] = IOUS

    def over(self, classes: Sequence[CategoryMatches]) -> Weighted:
        """The figure of matches; NaN if nothing is to be found."""
        return lambda counts: self._value(classes, counts)

    def _value(self, classes: Sequence[CategoryMatches], counts: Counts) -> float:
        found = [self._of_class(one, counts) for one in classes if counts @ one.positives]
        return 100 * float(np.mean(found)) if found else math.nan

    def _of_class(self, one: CategoryMatches, counts: Counts) -> float:
        if not len(one.samples):
            return 0.0
        weights = counts[one.samples] * one.counted[: len(self.ious)]
        right = np.cumsum(weights * one.right[: len(self.ious)], axis=1)
        every = np.cumsum(weights, axis=1)
        precision = right / np.maximum(every, 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = right / (counts @ one.positives)
        total = 0.0
        for reached, precisions in zip(recall, best):
            places = np.searchsorted(reached, _RECALLS, side="left")
            total += float(np.append(precisions, 0.0)[places].mean())
        return total / len(recall)


@dataclasses.dataclass(frozen=True)
class F1Score:
    """Twice the boxes found by detections and boxes together, in %, at the first IoU.

    Attributes:
        min_score: Score from which on a detection counts.
    """

    min_score: float

    def over(self, classes: Sequence[CategoryMatches]) -> Weighted:
        """The figure of matches; NaN if nothing is found or to be found."""
        right, every = 0, 0  # type: Any, Any
        for one in classes:
            counted = one.counted[0] & (one.scores >= self.min_score)
            size = len(one.positives)
            found = np.bincount(one.samples[counted & one.right[0]], minlength=size)
            right = right + 2 * found
            every = every + np.bincount(one.samples[counted], minlength=size) + one.positives

        def figure(counts: Counts) -> float:
            total = int(np.sum(counts * every))
            return 100 * int(np.sum(counts * right)) / total if total else math.nan

        return figure
