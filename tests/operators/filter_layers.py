"""Operators with filters and windows, and products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from tests.operators.builder import Draw, Layer, OperatorBuilder
from tests.operators.forms import Options, activation


def pool(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        x = net.activation((draw.number(1, 2), *draw.shape([2], 7), draw.number(1, 5)))
        height, width = draw.number(1, 3), draw.number(1, 3)
        return net.operator(
            kind,
            [x],
            padding=0,
            strideH=draw.number(1, 3),
            strideW=draw.number(1, 3),
            filterHeight=height,
            filterWidth=width,
            fusedActivationFunction=activation(draw, ["NONE", "NONE", "RELU", "RELU6"]),
        )

    return layer


def filters(net: OperatorBuilder, draw: Draw, shape: Sequence[int]) -> int:
    return net.constant(draw.values(shape, -1.0, 1.0))


def biases(net: OperatorBuilder, draw: Draw, channels: int) -> list[int]:
    """A bias or none."""
    return [net.constant(draw.values((channels,)))] if draw.number(0, 3) else []


def conv(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    groups = draw.one([1, 1, 2])
    channels, made = groups * draw.number(1, 4), groups * draw.number(1, 4)
    x = net.activation((draw.number(1, 2), *draw.shape([2], 8), channels))
    shape = (made, draw.number(1, 3), draw.number(1, 3), channels // groups)
    weights = filters(net, draw, shape) if draw.number(0, 5) else net.activation(shape)
    dilation = draw.one([1, 1, 2])
    return net.operator(
        "CONV_2D",
        [x, weights, net.constant(draw.values((made,)))],
        padding=0,
        strideH=draw.number(1, 2),
        strideW=draw.number(1, 2),
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        fusedActivationFunction=activation(draw),
    )


def depthwise(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    multiplier, channels = draw.one([1, 1, 2, 3]), draw.number(1, 5)
    x = net.activation((draw.number(1, 2), *draw.shape([2], 8), channels))
    shape = (1, draw.number(1, 3), draw.number(1, 3), channels * multiplier)
    dilation, stride = draw.one([(1, 1), (1, 2), (2, 1)])
    return net.operator(
        "DEPTHWISE_CONV_2D",
        [x, filters(net, draw, shape), net.constant(draw.values((channels * multiplier,)))],
        padding=0,
        strideH=stride,
        strideW=stride,
        depthMultiplier=multiplier,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        fusedActivationFunction=activation(draw),
    )


def dense(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape, made = draw.shape([1, 2, 3, 4]), draw.number(1, 6)
    if draw.number(0, 2):
        weights = filters(net, draw, (made, shape[-1]))
    else:
        weights = net.activation((made, shape[-1]))
    return net.operator(
        "FULLY_CONNECTED",
        [net.activation(shape), weights, *(biases(net, draw, made) or [-1])],
        keepNumDims=draw.chance(),
        fusedActivationFunction=activation(draw),
    )


def transpose_conv(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    batch, height, width, channels = (draw.number(1, high) for high in (2, 5, 5, 4))
    made, size, stride = draw.number(1, 4), draw.number(1, 3), draw.number(1, 2)
    same = draw.chance()
    ends = [n * stride if same else (n - 1) * stride + size for n in (height, width)]
    return net.operator(
        "TRANSPOSE_CONV",
        [
            net.integers([batch, *ends, made]),
            filters(net, draw, (made, size, size, channels)),
            net.activation((batch, height, width, channels)),
            *biases(net, draw, made),
        ],
        padding=0 if same else 1,
        strideH=stride,
        strideW=stride,
        fusedActivationFunction=activation(draw, ["NONE", "NONE", "RELU"]),
    )


def batch_matmul(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    batch = draw.shape([0, 1, 2, 3], 3)
    rows, inner, columns = (draw.number(1, 5) for _ in range(3))
    adj_x, adj_y = draw.chance(), draw.chance()
    first = (*batch, *((inner, rows) if adj_x else (rows, inner)))
    other = draw.one([batch, tuple(1 for _ in batch), batch[1:]])
    second = (*other, *((columns, inner) if adj_y else (inner, columns)))
    makers = draw.one([(0, 0), (0, 0), (0, 1), (1, 0)])
    operands = [
        net.constant(draw.values(shape)) if constant else net.activation(shape)
        for constant, shape in zip(makers, (first, second))
    ]
    return net.operator("BATCH_MATMUL", operands, adjX=adj_x, adjY=adj_y)


def resize(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        x = net.activation((draw.number(1, 2), *draw.shape([2], 6), draw.number(1, 4)))
        size = net.integers([draw.number(1, 9), draw.number(1, 9)])
        name = draw.one(["alignCorners", "halfPixelCenters", ""])
        options: Options = {name: True} if name else {}
        return net.operator(kind, [x, size], **options)

    return layer
