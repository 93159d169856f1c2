"""Quantized networks for CompiledModel, put together without TensorFlow."""

from __future__ import annotations

import functools

import numpy as np

from tests.built_models import Array, NetworkBuilder
from tflite_eq import Config, IoType, quantize

IMAGE = (1, 28, 28, 32)


def _samples(count: int) -> list[list[Array]]:
    rng = np.random.default_rng(count)
    return [[rng.standard_normal(IMAGE).astype(np.float32)] for _ in range(count)]


def _quantized(model: bytes, bits: str) -> bytes:
    config = Config(method="minmax", bits=bits, input_type=IoType.INT8, output_type=IoType.INT8)
    return quantize(model, _samples(2), config).model


@functools.cache
def convolutions(bits: str = "8") -> bytes:
    """A residual network whose operators the delegate all knows: int8 from end to end."""
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 64, activation="RELU")
    y = net.conv(x, 64, activation="RELU6")
    x = net.elementwise("ADD", x, net.conv(y, 64))
    x = net.max_pool(x)
    return _quantized(net.finished(net.conv(net.depthwise(x), 48, size=1)), bits)


@functools.cache
def classifier() -> bytes:
    """The same kind of network with operators that are left to the runtime."""
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.conv(net.input, 64, activation="RELU"), 64, activation="RELU")
    x = net.dense(net.spatial("MEAN", x), 10)
    return _quantized(net.finished(net.elementwise("SOFTMAX", x)), "8")


def codes(count: int = 2) -> list[Array]:
    """Inputs over the whole range of int8."""
    rng = np.random.default_rng(7)
    return [rng.integers(-128, 128, IMAGE).astype(np.int8) for _ in range(count)]
