"""Small float networks, one per structure the quantizer has to cope with.

All weights come from seeded generators, so that the same name always means the same bytes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tflite_eq.graph import compact, schema

Array = npt.NDArray[Any]


def weights(*shape: int, seed: int = 0, gain: float = 1.4) -> Array:
    """Random filters scaled so that activations keep their size from layer to layer."""
    fan_in = int(np.prod(shape[:-1]))
    rng = np.random.default_rng([seed, *shape])
    return (rng.standard_normal(shape) * gain / np.sqrt(fan_in)).astype(np.float32)


def biases(count: int, seed: int = 0, spread: float = 0.1) -> Array:
    rng = np.random.default_rng([seed, count])
    return (rng.standard_normal(count) * spread).astype(np.float32)


def convert(
    function: Callable[..., Any], *shapes: Sequence[int | None], dtype: Any = None
) -> bytes:
    """A float ``.tflite`` of a function of tensors."""
    return bytes(_converter(function, shapes, dtype or tf.float32).convert())


def convert_by_default(
    function: Callable[..., Any], *shapes: Sequence[int], calibration: list[list[Array]]
) -> bytes:
    """What TensorFlow's own post-training quantization makes of a function of tensors."""
    converter = _converter(function, shapes, tf.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(calibration)
    return bytes(converter.convert())


def _converter(function: Callable[..., Any], shapes: Sequence[Any], dtype: Any) -> Any:
    signature = [tf.TensorSpec(shape, dtype, name=f"x{i}") for i, shape in enumerate(shapes)]
    traced = tf.function(function, input_signature=signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], traced)


def convert_keras(inputs: Any, outputs: Any) -> bytes:
    """A float ``.tflite`` of a Keras model, with a signature as users' models have."""
    model = tf.keras.Model(inputs, outputs)
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def samples(*shapes: Sequence[int], count: int = 6, seed: int = 0) -> list[list[Array]]:
    """Calibration samples in the list form, one array per shape."""
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(s).astype(np.float32) for s in shapes] for _ in range(count)]


def conv(
    x: Any,
    channels: int,
    size: int = 3,
    stride: int = 1,
    seed: int = 0,
    padding: str = "SAME",
    dilation: int = 1,
    groups: int = 1,
) -> Any:
    filters = weights(size, size, int(x.shape[-1]) // groups, channels, seed=seed)
    y = tf.nn.conv2d(x, filters, stride, padding, dilations=dilation)
    return tf.nn.bias_add(y, biases(channels, seed))


def depthwise(
    x: Any,
    multiplier: int = 1,
    size: int = 3,
    stride: int = 1,
    seed: int = 0,
    padding: str = "SAME",
) -> Any:
    channels = int(x.shape[-1])
    filters = weights(size, size, channels, multiplier, seed=seed, gain=1.4 * np.sqrt(channels))
    y = tf.nn.depthwise_conv2d(x, filters, [1, stride, stride, 1], padding)
    return tf.nn.bias_add(y, biases(channels * multiplier, seed))


def dense(x: Any, channels: int, seed: int = 0) -> Any:
    filters = weights(int(x.shape[-1]), channels, seed=seed)
    return tf.nn.bias_add(tf.linalg.matmul(x, filters), biases(channels, seed))


def transpose_conv(x: Any, channels: int, seed: int = 0) -> Any:
    batch, height, width, depth = x.shape
    filters = weights(3, 3, channels, depth, seed=seed)
    shape = [batch, height * 2, width * 2, channels]
    y = tf.nn.conv2d_transpose(x, filters, shape, 2)
    return tf.nn.bias_add(y, biases(channels, seed))


IMAGE = (1, 12, 12, 3)


@functools.cache
def conv_net() -> bytes:
    """3x3, strided 3x3, 1x1, spatial mean, dense: every kind of fused activation."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, seed=1))
        x = tf.nn.relu6(conv(x, 16, seed=2))
        x = tf.nn.relu(conv(x, 16, stride=2, seed=3, padding="VALID"))
        x = conv(x, 12, size=1, seed=4)
        return dense(tf.reduce_mean(x, [1, 2]), 10, seed=5)

    return convert(network, IMAGE)


@functools.cache
def depthwise_net() -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.relu6(conv(x, 8, stride=2, seed=1))
        x = tf.nn.relu6(depthwise(x, seed=2))
        x = tf.nn.relu6(conv(x, 12, size=1, seed=3))
        x = tf.nn.relu6(depthwise(x, multiplier=2, stride=2, seed=4))
        x = conv(x, 8, size=1, seed=5)
        return dense(tf.reduce_mean(x, [1, 2]), 10, seed=6)

    return convert(network, IMAGE)


@functools.cache
def residual_net() -> bytes:
    """ADDs of a ReLU and a signed tensor; one convolution output with two readers."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, seed=1))
        y = tf.nn.relu(conv(x, 8, seed=2))
        x = tf.nn.relu(x + conv(y, 8, seed=3))
        y = conv(x, 8, seed=4)
        x = tf.nn.relu(y) + conv(y, 8, size=1, seed=5)
        x = tf.nn.avg_pool2d(x, 12, 1, "VALID")
        return dense(tf.reshape(x, [1, 8]), 10, seed=6)

    return convert(network, IMAGE)


@functools.cache
def concat_pool_net() -> bytes:
    """A fire-like module: branches with different ranges meet in one concatenation."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, seed=1))
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        small = tf.nn.relu(conv(x, 6, size=1, seed=2))
        large = tf.nn.relu(conv(x, 6, seed=3)) * 1.0
        x = tf.concat([small, large, tf.nn.avg_pool2d(x, 3, 1, "SAME")], axis=-1)
        x = tf.nn.relu(
            conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 8, seed=4, padding="VALID")
        )
        return tf.reduce_mean(conv(x, 10, size=1, seed=5), [1, 2])

    return convert(network, IMAGE)


@functools.cache
def wide_net() -> bytes:
    """3x3 convolutions wide enough that 7 bits gain speed; one of them behind a concatenation."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 32, stride=2, seed=1))
        y = tf.nn.relu(conv(x, 32, seed=2))
        x = tf.concat([y, tf.nn.relu(conv(y, 32, size=1, seed=3))], axis=-1)
        x = tf.nn.relu(conv(x, 32, seed=4))
        return tf.reduce_mean(conv(x, 10, size=1, seed=5), [1, 2])

    return convert(network, IMAGE)


@functools.cache
def pooled_net() -> bytes:
    """A classifier behind a pool of everything and a flattening that asks for the batch size."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 16, seed=1))
        x = tf.nn.relu(conv(x, 24, seed=2))
        x = tf.nn.avg_pool2d(x, 12, 1, "VALID")
        return dense(tf.reshape(x, [tf.shape(x)[0], 24]), 10, seed=3)

    return convert(network, (None, *IMAGE[1:]))


@functools.cache
def leaky_net() -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.leaky_relu(conv(x, 8, seed=1), 0.1)
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        x = tf.nn.leaky_relu(conv(x, 16, seed=2), 0.1)
        x = tf.nn.leaky_relu(conv(x, 16, size=1, seed=3), 0.1)
        return tf.reduce_mean(conv(x, 10, size=1, seed=4), [1, 2])

    return convert(network, IMAGE)


@functools.cache
def dense_net() -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.relu(dense(x, 24, seed=1))
        x = tf.nn.relu(dense(x, 16, seed=2))
        return dense(x, 5, seed=3)

    return convert(network, (1, 20))


@functools.cache
def transpose_conv_net() -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, stride=2, seed=1))
        x = transpose_conv(x, 6, seed=2)
        return conv(tf.nn.relu(x), 4, size=1, seed=3)

    return convert(network, IMAGE)


@functools.cache
def softmax_net() -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, stride=2, seed=1))
        return tf.nn.softmax(dense(tf.reduce_mean(x, [1, 2]), 10, seed=2))

    return convert(network, IMAGE)


@functools.cache
def two_input_net() -> bytes:
    """Inputs of different shape and range; outputs of different kind."""

    def network(image: Any, vector: Any) -> Any:
        x = tf.nn.relu(conv(image, 8, stride=2, seed=1))
        x = dense(tf.reduce_mean(x, [1, 2]), 8, seed=2)
        y = tf.nn.relu(dense(vector, 8, seed=3))
        return {"sum": dense(x + y, 4, seed=4), "probability": tf.sigmoid(dense(x, 1, seed=5))}

    return convert(network, IMAGE, (1, 5))


@functools.cache
def shared_filter_net() -> bytes:
    """One filter and one bias, read by two convolutions on inputs of different range."""

    def network(x: Any) -> Any:
        filters = weights(3, 3, 8, 8, seed=2)
        x = tf.nn.relu(conv(x, 8, seed=1))
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), biases(8, 2)))
        y = tf.nn.bias_add(tf.nn.conv2d(y, filters, 1, "SAME"), biases(8, 2))
        return tf.reduce_mean(y, [1, 2])

    # TensorFlow's converter writes such filters twice; other tools do not.
    model = schema.parse(convert(network, IMAGE))
    first, second = model.subgraphs[0].operators[1:3]
    second.inputs = [second.inputs[0], *first.inputs[1:]]
    compact.drop_unused_tensors(model.subgraphs[0], model)
    compact.drop_unused_buffers(model)
    return schema.serialize(model)


@functools.cache
def float_island_net() -> bytes:
    """SIN has no int8 kernel."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(conv(x, 8, stride=2, seed=1))
        x = conv(tf.sin(x), 8, seed=2)
        return tf.reduce_mean(x, [1, 2])

    return convert(network, IMAGE)


@functools.cache
def split_net() -> bytes:
    """An operator with two results."""

    def network(x: Any) -> Any:
        first, second = tf.split(tf.nn.relu(conv(x, 8, seed=1)), 2, axis=-1)
        return tf.reduce_mean(conv(first, 6, seed=2) + conv(second, 6, seed=3), [1, 2])

    return convert(network, IMAGE)


@functools.cache
def keras_net() -> bytes:
    """Batch normalisation, flatten and a dynamic batch, as Keras users export them."""
    tf.keras.utils.set_random_seed(7)
    layers = tf.keras.layers
    inputs = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    return convert_keras(inputs, layers.Dense(6, name="logits")(x))


SHAPES: dict[str, list[tuple[int, ...]]] = {
    "conv_net": [IMAGE],
    "depthwise_net": [IMAGE],
    "residual_net": [IMAGE],
    "concat_pool_net": [IMAGE],
    "wide_net": [IMAGE],
    "pooled_net": [IMAGE],
    "leaky_net": [IMAGE],
    "dense_net": [(1, 20)],
    "transpose_conv_net": [IMAGE],
    "softmax_net": [IMAGE],
    "two_input_net": [IMAGE, (1, 5)],
    "shared_filter_net": [IMAGE],
    "split_net": [IMAGE],
    "keras_net": [(1, 8, 8, 3)],
}


def build(name: str) -> bytes:
    """A network by the name of the function above that makes it."""
    network: bytes = globals()[name]()
    return network


def data(name: str, count: int = 6, seed: int = 0) -> list[list[Array]]:
    """Calibration samples for a network."""
    return samples(*SHAPES[name], count=count, seed=seed)
