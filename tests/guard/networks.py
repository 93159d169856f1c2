"""A classifier in which 7 bits hurt at one layer, by construction."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models

FEATURES, CLASSES = 16, 4
PLANTED = 1  # position of the layer whose input is hard to quantize
_FACTOR = 60.0


@functools.cache
def planted() -> bytes:
    """Three dense layers.

    One of the values between the first and the second is larger than the others by a factor that
    the second layer's weights take back. The function is the same, and the scale of that tensor
    leaves the other values few codes.
    """
    import tensorflow as tf

    stretch = np.ones(24, np.float32)
    stretch[0] = _FACTOR
    first = models.weights(FEATURES, 24, seed=1) * stretch
    second = models.weights(24, 16, seed=2) / stretch[:, np.newaxis]

    def network(x: Any) -> Any:
        x = tf.nn.relu(x @ first + models.biases(24, seed=1) * stretch)
        x = tf.nn.relu(x @ second + models.biases(16, seed=2))
        return x @ models.weights(16, CLASSES, seed=3) + models.biases(CLASSES, seed=3)

    return models.convert(network, (1, FEATURES))


def arrays(count: int, seed: int) -> npt.NDArray[np.float32]:
    """Samples, [count, FEATURES]."""
    return np.random.default_rng(seed).standard_normal((count, FEATURES)).astype(np.float32)
