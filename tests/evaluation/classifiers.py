"""Small classifiers of 8 x 8 images in ten classes, in every element type a model may have."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models

SHAPE = (1, 8, 8, 3)
CLASSES = 10


def _images(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Images of a random colour with noise, so that classes differ."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (count, 1, 1, 3))
    noise = rng.integers(-40, 41, (count, 8, 8, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


IMAGES = _images(60, seed=1)


def network(x: Any, seed: int = 0) -> Any:
    """Logits."""
    import tensorflow as tf

    y = tf.nn.relu(models.conv(x / 64.0 - 2.0, 8, seed=seed))
    y = tf.reduce_mean(y, axis=[1, 2])
    return y @ models.weights(8, CLASSES, seed=seed) * 3.0 + models.biases(CLASSES, seed)


@functools.cache
def float_classifier(softmax: bool = True, seed: int = 0) -> bytes:
    """Float, with or without a softmax at the end."""
    import tensorflow as tf

    return models.convert(
        lambda x: tf.nn.softmax(network(x, seed)) if softmax else network(x, seed), SHAPE
    )


@functools.cache
def int8_classifier(io: str = "float32", softmax: bool = True) -> bytes:
    """TFLite's default int8 with float32, int8 or uint8 inputs and outputs."""
    import tensorflow as tf

    traced = tf.function(
        lambda x: tf.nn.softmax(network(x)) if softmax else network(x),
        input_signature=[tf.TensorSpec(SHAPE, tf.float32)],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [image[np.newaxis].astype(np.float32)] for image in _images(20, seed=2)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    return bytes(converter.convert())


@functools.cache
def other(kind: str) -> bytes:
    """Models that are no such classifiers."""
    import tensorflow as tf

    if kind == "two outputs":
        return models.convert(lambda x: (network(x), network(x, 1)), SHAPE)
    if kind == "two inputs":
        return models.convert(lambda x, y: network(x) + network(y, 1), SHAPE, SHAPE)
    if kind == "three classes":
        return models.convert(lambda x: network(x)[:, :3], SHAPE)
    if kind == "larger input":
        return models.convert(lambda x: tf.nn.softmax(network(x)), (1, 16, 16, 3))
    if kind == "dynamic batch":
        return models.convert(lambda x: tf.nn.softmax(network(x)), (None, 8, 8, 3))
    if kind == "dynamic size":
        return models.convert(lambda x: tf.nn.softmax(network(x)), (None, None, None, 3))
    if kind == "batch of 2":
        return models.convert(lambda x: network(x), (2, 8, 8, 3))
    if kind == "integer output":
        return models.convert(lambda x: tf.argmax(network(x), axis=1), SHAPE)
    if kind == "integer input":
        return models.convert(lambda x: network(tf.cast(x, tf.float32)), SHAPE, dtype=tf.int32)
    if kind == "not a number":
        return models.convert(lambda x: tf.math.log(network(x) - 1e6), SHAPE)
    if kind == "map of classes":
        return models.convert(lambda x: models.conv(x, CLASSES), SHAPE)
    if kind == "map of open size":
        return models.convert(lambda x: models.conv(x, CLASSES), (1, None, None, 3))
    if kind == "one value":
        return models.convert(lambda x: network(x)[:, :1], SHAPE)
    if kind == "softmax reshaped":
        return models.convert(
            lambda x: tf.reshape(tf.nn.softmax(network(x)), (1, 1, 1, CLASSES)), SHAPE
        )
    if kind == "softmax only":
        return models.convert(lambda x: tf.nn.softmax(x), (1, CLASSES))
    raise ValueError(kind)
