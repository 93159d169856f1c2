"""TFLite's float operators in TensorFlow, for gradients through a network.

Every entry computes what TFLite's float kernel computes, without the fused activation function.
Linear operators with stored filters are not here: their filters are the quantized ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tflite_eq.graph import properties, schema
from tflite_eq.graph.linear import LinearLayer, is_same_padding
from tflite_eq.graph.model import Operator
from tflite_eq.graph.properties import LinearKind
from tflite_eq.numerics.activation import is_fusable

# (tensorflow, operator, inputs; None where an optional one is absent) -> one output, or a list.
Function = Callable[[Any, Operator, list[Any]], Any]


def _plain(name: str, arguments: int = 1) -> Function:
    """An operator that TensorFlow has under a dotted name, with the same meaning."""

    def run(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
        return functools.reduce(getattr, name.split("."), tf)(*inputs[:arguments])

    return run


def _reduction(name: str) -> Function:
    def run(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
        reduce = getattr(tf, name)
        return reduce(inputs[0], tf.reshape(inputs[1], [-1]), keepdims=operator.options.keepDims)

    return run


def _pool(name: str) -> Function:
    def run(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
        options = operator.options
        return getattr(tf.nn, name)(
            inputs[0],
            (options.filterHeight, options.filterWidth),
            (options.strideH, options.strideW),
            padding_name(operator),
        )

    return run


def _resize(name: str) -> Function:
    def run(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
        return getattr(tf.compat.v1.image, name)(
            inputs[0],
            inputs[1],
            align_corners=bool(operator.options.alignCorners),
            half_pixel_centers=bool(operator.options.halfPixelCenters),
        )

    return run


def _reshape(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
    shape = inputs[1] if len(inputs) > 1 else list(operator.options.newShape)
    return tf.reshape(inputs[0], shape)


def _squeeze(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
    axes = operator.options.squeezeDims
    return tf.squeeze(inputs[0], [int(axis) for axis in axes] if axes is not None else None)


def _strided_slice(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
    options = operator.options
    return tf.strided_slice(
        *inputs,
        begin_mask=options.beginMask,
        end_mask=options.endMask,
        ellipsis_mask=options.ellipsisMask,
        new_axis_mask=options.newAxisMask,
        shrink_axis_mask=options.shrinkAxisMask,
    )


def _mirror_pad(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
    reflect = operator.options.mode == schema.schema().MirrorPadMode.REFLECT
    return tf.pad(*inputs, mode="REFLECT" if reflect else "SYMMETRIC")


def _l2_normalization(tf: Any, operator: Operator, inputs: list[Any]) -> Any:
    norm = tf.sqrt(tf.reduce_sum(tf.square(inputs[0]), axis=-1, keepdims=True))
    return inputs[0] / tf.maximum(norm, 1e-6)


def _clip(low: float, high: float) -> Function:
    return lambda tf, operator, inputs: tf.clip_by_value(inputs[0], low, high)


OPERATORS: dict[str, Function] = {
    "ADD": _plain("add", 2),
    "SUB": _plain("subtract", 2),
    "MUL": _plain("multiply", 2),
    "DIV": _plain("divide", 2),
    "MAXIMUM": _plain("maximum", 2),
    "MINIMUM": _plain("minimum", 2),
    "SQUARED_DIFFERENCE": _plain("math.squared_difference", 2),
    "ABS": _plain("abs"),
    "NEG": _plain("negative"),
    "EXP": _plain("exp"),
    "SQRT": _plain("sqrt"),
    "RSQRT": _plain("math.rsqrt"),
    "SQUARE": _plain("square"),
    "RELU": _plain("nn.relu"),
    "RELU6": _clip(0.0, 6.0),
    "RELU_N1_TO_1": _clip(-1.0, 1.0),
    "RELU_0_TO_1": _clip(0.0, 1.0),
    "LEAKY_RELU": lambda tf, operator, x: tf.nn.leaky_relu(x[0], operator.options.alpha),
    "PRELU": lambda tf, operator, x: tf.where(x[0] >= 0, x[0], x[0] * x[1]),
    "ELU": _plain("nn.elu"),
    "GELU": lambda tf, operator, x: tf.nn.gelu(x[0], bool(operator.options.approximate)),
    "HARD_SWISH": lambda tf, operator, x: x[0] * tf.clip_by_value(x[0] + 3, 0, 6) / 6,
    "LOGISTIC": _plain("sigmoid"),
    "TANH": _plain("tanh"),
    "SOFTMAX": lambda tf, operator, x: tf.nn.softmax(x[0] * operator.options.beta),
    "LOG_SOFTMAX": _plain("nn.log_softmax"),
    "L2_NORMALIZATION": _l2_normalization,
    "MEAN": _reduction("reduce_mean"),
    "SUM": _reduction("reduce_sum"),
    "REDUCE_MAX": _reduction("reduce_max"),
    "REDUCE_MIN": _reduction("reduce_min"),
    "AVERAGE_POOL_2D": _pool("avg_pool2d"),
    "MAX_POOL_2D": _pool("max_pool2d"),
    "RESIZE_BILINEAR": _resize("resize_bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("resize_nearest_neighbor"),
    "CONCATENATION": lambda tf, operator, x: tf.concat(x, operator.options.axis),
    "SPLIT": lambda tf, operator, x: tf.split(x[1], operator.options.numSplits, int(x[0])),
    "SPLIT_V": lambda tf, operator, x: tf.split(x[0], x[1], int(x[2])),
    "PACK": lambda tf, operator, x: tf.stack(x, operator.options.axis),
    "UNPACK": lambda tf, operator, x: tf.unstack(x[0], axis=operator.options.axis),
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": lambda tf, operator, x: tf.expand_dims(x[0], int(x[1])),
    "TRANSPOSE": _plain("transpose", 2),
    "TILE": _plain("tile", 2),
    "PAD": _plain("pad", 2),
    "PADV2": lambda tf, operator, x: tf.pad(x[0], x[1], constant_values=x[2]),
    "MIRROR_PAD": _mirror_pad,
    "SLICE": _plain("slice", 3),
    "STRIDED_SLICE": _strided_slice,
    "SHAPE": _plain("shape"),
    "DEPTH_TO_SPACE": lambda tf, operator, x: tf.nn.depth_to_space(
        x[0], operator.options.blockSize
    ),
    "SPACE_TO_DEPTH": lambda tf, operator, x: tf.nn.space_to_depth(
        x[0], operator.options.blockSize
    ),
    "SPACE_TO_BATCH_ND": _plain("space_to_batch", 3),
    "BATCH_TO_SPACE_ND": _plain("batch_to_space", 3),
}


def knows_activation(operator: Operator) -> bool:
    """Whether the fused activation function, if any, can be computed here."""
    return is_fusable(properties.fused_activation(operator))


def activated(tf: Any, operator: Operator, values: Any) -> Any:
    """The operator's fused activation function on its result."""
    name = properties.fused_activation(operator)
    return values if name == "NONE" else OPERATORS[name](tf, operator, [values])


def padding_name(operator: Operator) -> str:
    """The operator's padding as TensorFlow calls it."""
    return "SAME" if is_same_padding(operator) else "VALID"


def knows_layer(layer: LinearLayer) -> bool:
    """Whether TensorFlow has the layer; its depthwise convolution knows square strides only."""
    options = layer.operator.options
    return layer.kind is not LinearKind.DEPTHWISE or options.strideH == options.strideW


def linear_function(tf: Any, layer: LinearLayer, filters: Any) -> Callable[[list[Any]], Any]:
    """A linear layer without bias and activation function.

    Args:
        tf: TensorFlow.
        layer: The layer.
        filters: Its real filters in the common form, [K, kh, kw, C / groups] or [K, C].

    Returns:
        A function of the operator's inputs (a list by position).
    """
    if layer.kind is LinearKind.DENSE:
        return _dense(tf, layer, filters)
    options = layer.operator.options
    strides, padding = [options.strideH, options.strideW], padding_name(layer.operator)
    if layer.kind is LinearKind.TRANSPOSE:
        kernel = tf.constant(filters.transpose(1, 2, 0, 3))
        return lambda x: tf.nn.conv2d_transpose(x[2], kernel, x[0], strides, padding)
    kernel = _dilated(filters, options.dilationHFactor, options.dilationWFactor)
    if layer.kind is LinearKind.DEPTHWISE:
        height, width = kernel.shape[1:3]
        kernel = kernel[..., 0].transpose(1, 2, 0).reshape(height, width, layer.groups, -1)
        kernel = tf.constant(kernel)
        return lambda x: tf.nn.depthwise_conv2d(x[0], kernel, [1, *strides, 1], padding)
    # The gradient of a grouped convolution is missing on CPUs.
    kernels = [tf.constant(k) for k in _split(kernel.transpose(1, 2, 3, 0), layer.groups)]

    def convolve(x: list[Any]) -> Any:
        parts = tf.split(x[0], len(kernels), axis=-1) if len(kernels) > 1 else [x[0]]
        found = [tf.nn.conv2d(part, k, strides, padding) for part, k in zip(parts, kernels)]
        return tf.concat(found, axis=-1) if len(found) > 1 else found[0]

    return convolve


def _dense(tf: Any, layer: LinearLayer, filters: Any) -> Callable[[list[Any]], Any]:
    kernel = tf.constant(filters.T)
    keeps = layer.operator.options.keepNumDims

    def multiply(x: list[Any]) -> Any:
        flat = tf.linalg.matmul(tf.reshape(x[0], [-1, kernel.shape[0]]), kernel)
        if not keeps:
            return flat
        return tf.reshape(flat, tf.concat([tf.shape(x[0])[:-1], [layer.channels]], axis=0))

    return multiply


def _split(kernel: Any, groups: int) -> list[Any]:
    size = kernel.shape[-1] // groups
    return [kernel[..., i * size : (i + 1) * size] for i in range(groups)]


def _dilated(filters: Any, vertical: int, horizontal: int) -> Any:
    """Filters [K, kh, kw, C] with zeros between the taps.

    The gradient of a dilated convolution is missing on CPUs.
    """
    if vertical == horizontal == 1:
        return filters
    outputs, height, width, channels = filters.shape
    size = ((height - 1) * vertical + 1, (width - 1) * horizontal + 1)
    spread = np.zeros((outputs, *size, channels), filters.dtype)
    spread[:, ::vertical, ::horizontal] = filters
    return spread
