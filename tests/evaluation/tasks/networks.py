"""Small networks of several kinds, whose quantized-like twins differ by a known amount."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models

IMAGE = (1, 8, 8, 3)


@functools.cache
def samples(count: int = 24) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(11)
    return rng.standard_normal((count, *IMAGE[1:])).astype(np.float32)


@functools.cache
def segmenter(shift: float = 0.0) -> bytes:
    """Scores of three classes for every pixel; a shift favours the first one."""
    import tensorflow as tf

    favoured = tf.constant([shift, 0.0, 0.0])
    return models.convert(lambda x: models.conv(x, 3, seed=1) + favoured, IMAGE)


@functools.cache
def pointer(factor: float = 1.0) -> bytes:
    """Five points, and a score of one value that is no point."""
    import tensorflow as tf

    def network(x: Any) -> Any:
        y = tf.reduce_mean(models.conv(x, 6, seed=1), [1, 2])
        return tf.reshape(models.dense(y, 10, seed=2) * factor, [1, 5, 2]), models.dense(
            y, 1, seed=3
        )

    return models.convert(network, IMAGE)


@functools.cache
def restorer(factor: float = 1.0) -> bytes:
    """An image of the input's size, from 0 to 1."""
    import tensorflow as tf

    return models.convert(lambda x: tf.sigmoid(models.conv(x, 3, seed=1) * factor), IMAGE)


@functools.cache
def mixer(factor: float = 1.0) -> bytes:
    """A map of two inputs, an image and a code."""
    import tensorflow as tf

    def network(image: Any, code: Any) -> Any:
        return models.conv(image, 3, seed=1) + tf.reshape(code * factor, [1, 1, 1, 3])

    return models.convert(network, IMAGE, (1, 3))
