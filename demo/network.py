"""The float network of the demonstration, and what TensorFlow makes of it by default."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from demo.digits import Digits
from tflite_eq.quiet import quiet

EPOCHS = 15


def train(digits: Digits, epochs: int = EPOCHS, seed: int = 0) -> tf.keras.Model:
    """A small residual network that gives logits; input is pixels / 255."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = _network()
    model.compile(
        optimizer=tf.keras.optimizers.Adam(3e-3),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    images = digits.train_images.astype(np.float32) / 255
    model.fit(images, digits.train_labels, batch_size=32, epochs=epochs, verbose=2)
    return model


def _network() -> tf.keras.Model:
    layers = tf.keras.layers

    def conv(x: Any, channels: int, relu: bool = True) -> Any:
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x) if relu else x

    image = layers.Input((8, 8, 1), name="image")
    x = conv(image, 16)
    x = layers.ReLU()(layers.Add()([x, conv(conv(x, 16), 16, relu=False)]))
    x = layers.MaxPooling2D()(conv(x, 32))
    x = layers.ReLU()(layers.Add()([x, conv(conv(x, 32), 32, relu=False)]))
    x = layers.GlobalAveragePooling2D()(conv(x, 64))
    return tf.keras.Model(image, layers.Dense(10, name="logits")(x))


def convert_float(model: tf.keras.Model) -> bytes:
    """The float ``.tflite``."""
    with quiet():
        return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def convert_default_int8(model: tf.keras.Model, digits: Digits) -> bytes:
    """What TensorFlow's own full-integer quantization gives on the same calibration images."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    images = digits.calibration_images.astype(np.float32) / 255
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    with quiet():
        return bytes(converter.convert())
