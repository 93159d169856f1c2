"""Accuracy of a classifier and closeness of its logits to a reference's.

Every figure is computed from a few numbers per image, added up in the order of the images,
so that it depends on nothing but the logits.

Ties: of equal logits the lower class ranks first, as with ``argmax``.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation.intervals import (
    CONFIDENCE,
    Estimate,
    mean,
    paired_difference,
    rate,
    ratio_db,
)

Logits = npt.NDArray[np.floating[Any]]
Scores = npt.NDArray[np.void]
Hits = npt.NDArray[np.bool_]
Double = npt.NDArray[np.float64]

TOP_K = 5

# What is kept of one image. ``agrees`` and what follows compare with the reference.
SCORE = np.dtype(
    [
        ("top1", np.bool_),
        ("top5", np.bool_),
        ("agrees", np.bool_),
        ("cosine", np.float64),
        ("signal", np.float64),
        ("noise", np.float64),
    ]
)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Figures of one model; rates in percent, all with 95 % confidence intervals.

    Attributes:
        n: Number of images.
        top1: Rate of images whose label has the largest logit.
        top5: Rate of images whose label is among the five largest logits.
        agreement: Rate of images with the same largest logit as the reference.
        cosine: Mean over the images of the cosine between the logits and the reference's.
        sqnr_db: 10 log10(sum of reference^2 / sum of (reference - model)^2), sums over all
            classes of all images; infinite for identical logits.
        top1_drop: Top-1 of the reference minus top-1 of the model, in percentage points; the
            interval is that of the paired difference, which is much narrower than that of
            either rate.
    """

    n: int
    top1: Estimate
    top5: Estimate
    agreement: Estimate | None = None
    cosine: Estimate | None = None
    sqnr_db: Estimate | None = None
    top1_drop: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; figures that need a reference are None without one."""
        figures = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "n"
        }
        return {
            "n": self.n,
            "confidence": CONFIDENCE,
            **{name: figure and figure.to_dict() for name, figure in figures.items()},
        }


def score(logits: Logits, label: int, reference: Logits | None = None) -> tuple[Any, ...]:
    """One image's entry of type ``SCORE``.

    Args:
        logits: One per class.
        label: The right class.
        reference: The reference's logits for the same image.
    """
    values = logits.astype(np.float64)
    rank = int((values > values[label]).sum() + (values[:label] == values[label]).sum())
    if reference is None:
        return rank == 0, rank < TOP_K, False, math.nan, math.nan, math.nan
    expected = reference.astype(np.float64)
    return (
        rank == 0,
        rank < TOP_K,
        int(values.argmax()) == int(expected.argmax()),
        cosine(values, expected),
        float(expected @ expected),
        float((expected - values) @ (expected - values)),
    )


def packed(entry: tuple[Any, ...]) -> bytes:
    """What ``score`` gave, in a tenth of the memory; ``numpy.frombuffer`` takes many of them."""
    return np.array(entry, SCORE).tobytes()


def summarize(scores: Scores, reference: Scores | None = None) -> Metrics:
    """Figures over all images.

    Args:
        scores: Entries of type ``SCORE``, at least one.
        reference: The reference model's own entries for the same images; without it only
            the rates against the labels are given.
    """
    top1, top5 = _rate(scores["top1"]), _rate(scores["top5"])
    if reference is None:
        return Metrics(len(scores), top1, top5)
    return Metrics(
        n=len(scores),
        top1=top1,
        top5=top5,
        agreement=_rate(scores["agrees"]),
        cosine=mean(scores["cosine"], largest=1.0),
        sqnr_db=ratio_db(scores["signal"], scores["noise"]),
        top1_drop=paired_drop(reference["top1"], scores["top1"]),
    )


def paired_drop(reference: Hits, model: Hits) -> Estimate:
    """What the model's rate of hits is below the reference's, in points, image by image."""
    lost = int((reference & ~model).sum())
    gained = int((model & ~reference).sum())
    return paired_difference(lost, gained, len(model))


def _rate(hits: Hits) -> Estimate:
    return rate(int(hits.sum()), len(hits))


def cosine(values: Double, expected: Double) -> float:
    """Cosine of the angle; 1 between two zero vectors, 0 if only one of them is zero."""
    norms = float(np.linalg.norm(values)) * float(np.linalg.norm(expected))
    if norms == 0:
        return float(not values.any() and not expected.any())
    return float(values @ expected) / norms
