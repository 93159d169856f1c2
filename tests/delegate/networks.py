"""Small quantized networks with every kind of convolution the delegate meets."""

from __future__ import annotations

import functools
from typing import Any

from tflite_eq import Config, quantize

IMAGE = (1, 16, 16, 3)

# Configurations by the weights they give: plain, 7 bits, 7 bits on the even-triplet lattice.
CONFIGS = {
    "int8": Config(method="minmax"),
    "int7": Config(method="minmax", bits="7"),
    "lattice": Config(method="minmax", bits="7", target="x86-vnni"),
}


@functools.cache
def float_network() -> bytes:
    """A first layer, a residual block, ReLU6, a stride, 1x1, VALID padding, a depthwise layer."""
    from tests import models  # imports TensorFlow

    def network(x: Any) -> Any:
        tf = models.tf
        x = tf.nn.relu(models.conv(x, 64, seed=1))
        y = tf.nn.relu(models.conv(x, 64, seed=2))
        x = tf.nn.relu(x + models.conv(y, 64, seed=3))
        x = tf.nn.relu6(models.conv(x, 96, stride=2, seed=4))
        x = models.conv(x, 64, size=1, seed=5)
        x = tf.nn.relu(models.conv(x, 64, seed=6, padding="VALID"))
        x = tf.nn.relu(models.depthwise(x, seed=7))
        return models.dense(tf.reduce_mean(models.conv(x, 33, seed=8), [1, 2]), 10, seed=9)

    return models.convert(network, IMAGE)


@functools.cache
def quantized(kind: str) -> bytes:
    """The network in one of ``CONFIGS``."""
    return quantized_as(CONFIGS[kind])


@functools.cache
def quantized_as(config: Config) -> bytes:
    """The network in any configuration."""
    from tests import models

    return quantize(float_network(), models.samples(IMAGE, count=4), config).model
