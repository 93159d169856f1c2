"""Boxes of the face detector of the zoo that is an SSD, and how well others agree with them.

The network gives, for each of its anchors, two scores and the offsets of a box. Anchors and offsets
are those of SSD (W. Liu et al., ECCV 2016): at each cell of four maps of strides 8 to 64 there are
two or three squares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation.intervals import Estimate

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

HEIGHT, WIDTH = 240, 320

# Sides of the squares, in pixels, by stride.
_SQUARES = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}

# Offsets are in units of these: of the centre in sides of the anchor, of the logarithm of the side.
_CENTRE, _SIZE = 0.1, 0.2

# Detections of the float network that count as true; of others, from where on they are ranked.
TRUE_SCORE = 0.5
_LEAST_SCORE = 0.02

# Boxes that overlap so much are the same face.
_OVERLAP = 0.5
_RESAMPLED = 1000


@dataclasses.dataclass(frozen=True)
class Boxes:
    """What a detector finds in one image.

    Attributes:
        scores: In descending order, [n].
        corners: Left, top, right and bottom, in shares of the image, [n, 4].
    """

    scores: Float
    corners: Float


def anchors() -> Float:
    """Centre, width and height of every anchor in shares of the image, [4420, 4]."""
    found = []
    for stride, sides in _SQUARES.items():
        rows, columns = -(-HEIGHT // stride), -(-WIDTH // stride)
        y, x = np.mgrid[:rows, :columns] + 0.5
        for_each = [
            np.stack(
                [x / columns, y / rows, np.full_like(x, s / WIDTH), np.full_like(y, s / HEIGHT)], -1
            )
            for s in sides
        ]
        found.append(np.stack(for_each, axis=2).reshape(-1, 4))
    return np.concatenate(found).clip(0, 1).astype(np.float32)


def decoded(scores: Float, offsets: Float) -> Boxes:
    """Boxes that are left when of those that overlap the best is kept.

    Args:
        scores: Of a face, one per anchor, [4420].
        offsets: Of centres and logarithms of sizes, [4420, 4].
    """
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= _LEAST_SCORE]
    around = anchors()[order]
    centre = around[:, :2] + offsets[order, :2] * _CENTRE * around[:, 2:]
    size = around[:, 2:] * np.exp(offsets[order, 2:] * _SIZE)
    corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    kept: list[int] = []
    for number in range(len(order)):
        if not kept or overlaps(corners[number], corners[kept]).max() < _OVERLAP:
            kept.append(number)
    return Boxes(scores[order][kept], corners[kept])


def overlaps(box: Float, others: Float) -> Float:
    """Intersection over union of a box [4] with others [n, 4]."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    joint: Float = common / (np.prod(box[2:] - box[:2]) + areas - common)
    return joint


@dataclasses.dataclass(frozen=True)
class Matches:
    """Detections of one image against the true boxes.

    Attributes:
        scores: Of the detections, [n].
        hits: Which of them are the first on a true box, [n].
        true: Number of true boxes.
    """

    scores: Float
    hits: npt.NDArray[np.bool_]
    true: int


def matched(truth: Boxes, found: Boxes) -> Matches:
    """Detections, best first, each on the true box that it overlaps most, if on any."""
    faces = truth.corners[truth.scores >= TRUE_SCORE]
    hits = np.zeros(len(found.scores), bool)
    taken: set[int] = set()
    for number, box in enumerate(found.corners if len(faces) else ()):
        joint = overlaps(box, faces)
        best = int(joint.argmax())
        if joint[best] >= _OVERLAP and best not in taken:
            taken.add(best)
            hits[number] = True
    return Matches(found.scores, hits, len(faces))


def average_precision(images: Sequence[Matches]) -> float:
    """Area below precision over recall in percent, precision made to fall (VOC since 2010)."""
    scores = np.concatenate([image.scores for image in images])
    hits = np.concatenate([image.hits for image in images])[np.argsort(-scores, kind="stable")]
    true = sum(image.true for image in images)
    if not true or not hits.size:
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(100 * falling[hits].sum() / true)


def with_interval(images: Sequence[Matches], seed: int = 0) -> Estimate:
    """Average precision with the percentiles of images drawn anew."""
    rng = np.random.default_rng(seed)
    drawn: Double = np.array(
        [
            average_precision([images[i] for i in rng.integers(len(images), size=len(images))])
            for _ in range(_RESAMPLED)
        ]
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(average_precision(images), float(low), float(high))
