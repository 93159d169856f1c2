"""TensorFlow's own full-integer conversion, with its defaults: float inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

MODULES = ("tensorflow",)


def quantize(model: Path, samples: Sequence[npt.NDArray[np.float32]]) -> bytes:
    """The int8 ``.tflite`` of a Keras model."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.models.load_model(model, compile=False)
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x] for x in samples)
    return bytes(converter.convert())


def versions() -> dict[str, str]:
    """TensorFlow's."""
    import tensorflow as tf

    return {"TensorFlow": tf.__version__}
