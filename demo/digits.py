"""Handwritten digits that scikit-learn brings along, split three ways."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Array = npt.NDArray[Any]

CALIBRATION_SAMPLES = 50


@dataclasses.dataclass(frozen=True)
class Digits:
    """1,797 images of 8 x 8 pixels.

    Attributes:
        train_images: uint8 [n, 8, 8, 1], 0..255.
        train_labels: int64 [n], 0..9.
        validation_images: The same for images that neither training nor calibration sees.
        validation_labels: Their labels.
        calibration_images: Some of the training images.
    """

    train_images: Array
    train_labels: Array
    validation_images: Array
    validation_labels: Array
    calibration_images: Array


def load(seed: int = 0) -> Digits:
    """The split, the same for the same seed and with every class in its share."""
    stored = load_digits()
    images = np.rint(stored.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    train_x, validation_x, train_y, validation_y = train_test_split(
        images, stored.target, test_size=0.4, random_state=seed, stratify=stored.target
    )
    return Digits(train_x, train_y, validation_x, validation_y, train_x[:CALIBRATION_SAMPLES])
