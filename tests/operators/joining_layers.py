"""Operators whose result has values of several tensors: their ranges have to agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.operators.builder import Draw, Layer, OperatorBuilder
from tests.operators.forms import ANY_RANK, broadcast


def joined(net: OperatorBuilder, draw: Draw, shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Operands of different ranges, one of them constant now and then, or a sigmoid's result."""
    found = []
    for number, shape in enumerate(shapes):
        kind = draw.one(["activation", "activation", "constant", "LOGISTIC", "TANH"])
        if kind == "constant" and number:
            found.append(net.constant(draw.values(shape, -0.5, 0.5)))
        elif kind in ("LOGISTIC", "TANH"):
            found += net.operator(kind, [net.activation(shape)])
        else:
            found.append(net.activation(shape, -1.0 - number, 1.5 + number))
    return found


def concatenation(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = list(draw.shape(ANY_RANK))
    axis, shapes = draw.number(0, len(shape) - 1), []
    for _ in range(draw.number(1, 3)):
        shape[axis] = draw.number(1, 4)
        shapes.append(tuple(shape))
    told = axis - draw.one([0, len(shape)])
    return net.operator("CONCATENATION", joined(net, draw, shapes), axis=told)


def pack(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape, count = draw.shape(range(1, 6)), draw.number(1, 3)
    axis = draw.number(0, len(shape))
    operands = joined(net, draw, [shape] * count)
    return net.operator("PACK", operands, valuesCount=count, axis=axis)


def larger(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK)
        return net.operator(kind, joined(net, draw, [shape, broadcast(draw, shape)]))

    return layer


def select(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK)
        of_condition, *others = [shape] * 3
        if kind == "SELECT_V2":
            of_condition, second = broadcast(draw, shape), broadcast(draw, shape)
            others[1] = second
        elif draw.chance():
            of_condition = shape[:1]
        if draw.chance():
            condition = net.constant(draw.values(of_condition) > 0)
        else:
            scores = net.activation(of_condition)
            zero = net.constant(np.zeros(1, np.float32))
            [condition] = net.operator("GREATER", [scores, zero], ["BOOL"])
        return net.operator(kind, [condition, *joined(net, draw, others)])

    return layer


def dynamic_update_slice(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    part = tuple(draw.number(1, size) for size in shape)
    begins = net.integers([draw.number(0, size - 1) for size in shape])
    return net.operator("DYNAMIC_UPDATE_SLICE", [*joined(net, draw, [shape, part]), begins])


def scatter(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    size, rest = draw.number(2, 5), draw.shape([0, 1, 2])
    count = draw.number(1, size)
    indices = net.integers([[i] for i in draw.order(size)[:count]])
    updates = joined(net, draw, [(count, *rest)])
    return net.operator("SCATTER_ND", [indices, *updates, net.integers([size, *rest])])


def sparse_to_dense(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    size = draw.number(2, 5)
    count = draw.number(1, size)
    indices = net.integers(sorted(draw.order(size)[:count]))
    values = net.activation((count,))
    rest = net.constant(np.array(draw.one([0.0, -1.0, 0.7]), np.float32))
    return net.operator("SPARSE_TO_DENSE", [indices, net.integers([size]), values, rest])


def fill(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    return net.operator("FILL", [net.integers(draw.shape([1, 2, 3])), net.activation(())])


def computed_indices(net: OperatorBuilder, draw: Draw, below: int) -> int:
    """Indices that depend on an input."""
    scores = net.activation((draw.number(1, 5), below))
    axis = net.constant(np.array(1, np.int32))
    [found] = net.operator("ARG_MAX", [scores, axis], ["INT32"], outputType=2)
    return found


def one_hot(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    indices = computed_indices(net, draw, 4)
    ends = [net.constant(np.array(value, np.float32)) for value in (draw.one([1.0, 3.0]), -0.5)]
    if draw.chance():
        ends[0] = net.activation(())
    depth = net.constant(np.array(4, np.int32))
    return net.operator("ONE_HOT", [indices, depth, *ends], axis=draw.one([-1, 0]))


def set_diagonal(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(2, 5))
    part = (*shape[:-2], min(shape[-2:]))
    return net.operator("MATRIX_SET_DIAG", joined(net, draw, [shape, part]))


def embedding(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape([2, 3])
    table = net.constant(draw.values(shape)) if draw.chance() else net.activation(shape)
    return net.operator("EMBEDDING_LOOKUP", [computed_indices(net, draw, shape[0]), table])
