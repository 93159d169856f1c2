"""Operators that compute a value from those in the same place, or along axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.operators.builder import Draw, Layer, OperatorBuilder
from tests.operators.forms import ANY_RANK, Options, activation, broadcast


def unary(
    kind: str, low: float = -2.0, high: float = 2.0, ranks: Sequence[int] = ANY_RANK
) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        return net.operator(kind, [net.activation(draw.shape(ranks), low, high)])

    return layer


def softmax(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    x = net.activation(draw.shape(ANY_RANK), -4.0, 4.0)
    return net.operator("SOFTMAX", [x], beta=draw.one([1.0, 0.5]))


def leaky_relu(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    alpha = draw.one([0.1, 0.3, 1.5, -0.2])
    return net.operator("LEAKY_RELU", [net.activation(draw.shape(ANY_RANK))], alpha=alpha)


def gelu(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    x = net.activation(draw.shape(ANY_RANK))
    return net.operator("GELU", [x], approximate=draw.chance())


def prelu(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape([2, 3, 4, 5])
    slopes = draw.one([shape[-1:], (*(1 for _ in shape[1:-1]), shape[-1]), shape[1:]])
    return net.operator("PRELU", [net.activation(shape), net.constant(draw.values(slopes))])


def binary(kind: str, fused: bool = False, results: str = "FLOAT32") -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK)
        other = broadcast(draw, shape)
        x = net.activation(shape)
        if draw.chance():
            y = net.constant(draw.values(other, -3.0, 3.0))
        else:
            y = net.activation(other, -3.0, 3.0)
        operands = draw.one([[x, y], [y, x]])
        options: Options = {"fusedActivationFunction": activation(draw)} if fused else {}
        return net.operator(kind, operands, [results], **options)

    return layer


def twice(kind: str) -> Layer:
    """Elementwise operators that read one tensor twice now and then."""
    plain = binary(kind, fused=True)

    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        if draw.number(0, 3):
            return plain(net, draw)
        x = net.activation(draw.shape(ANY_RANK))
        return net.operator(kind, [x, x])

    return layer


def reduction(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK, largest=4)
        count = draw.number(1, len(shape))
        axes = [axis - draw.one([0, len(shape)]) for axis in draw.order(len(shape))[:count]]
        axis = net.constant(np.array(axes[0], np.int32)) if len(axes) == 1 and draw.chance() else -1
        axis = net.integers(axes) if axis < 0 else axis
        return net.operator(kind, [net.activation(shape), axis], keepDims=draw.chance())

    return layer


def index_of(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK)
        axis = net.constant(np.array(draw.number(0, len(shape) - 1), np.int32))
        return net.operator(kind, [net.activation(shape), axis], ["INT32"], outputType=2)

    return layer


def top_k(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    count = net.constant(np.array(draw.number(1, shape[-1]), np.int32))
    return net.operator("TOPK_V2", [net.activation(shape), count], ["FLOAT32", "INT32"])[:1]
