"""For every operator with an int8 kernel: what it may look like in a network.

A layer draws a form - ranks, shapes, axes, options, which operands are constant - and adds the
operator. Forms that int8 kernels refuse are drawn as well: they have to stay in float.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.operators.builder import Draw, Layer, OperatorBuilder
from tflite_eq.graph import schema

ANY_RANK = range(1, 7)
Options = dict[str, Any]


def activation(draw: Draw, names: Sequence[str] = ("NONE", "RELU", "RELU6")) -> int:
    """Code of a fused activation function."""
    return int(getattr(schema.schema().ActivationFunctionType, draw.one(names)))


def padding(draw: Draw) -> int:
    return draw.number(0, 1)


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


def broadcast(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose values serve all of a shape."""
    ones = tuple(draw.one([1, size]) for size in shape)
    return draw.one([shape, shape, ones, shape[-1:], (1,), shape[draw.number(0, len(shape) - 1) :]])


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


def cut(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    begins = [draw.number(0, size - 1) for size in shape]
    sizes = [draw.number(1, size - begin) for size, begin in zip(shape, begins)]
    sizes = [draw.one([n, -1]) for n in sizes]
    return net.operator("SLICE", [net.activation(shape), net.integers(begins), net.integers(sizes)])


def strided_slice(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    begins = [draw.number(0, size - 1) for size in shape]
    ends = [draw.number(begin + 1, size) for size, begin in zip(shape, begins)]
    strides = [draw.number(1, 2) for _ in shape]
    every = (1 << len(shape)) - 1
    masks: Options = dict.fromkeys(("beginMask", "endMask", "shrinkAxisMask", "newAxisMask"), 0)
    mask = draw.one(["", "", "beginMask", "endMask", "shrinkAxisMask", "newAxisMask", "ellipsis"])
    if mask == "ellipsis":
        masks["ellipsisMask"] = 1
    elif mask == "newAxisMask":
        masks[mask] = 1 << draw.number(0, len(shape) - 1)
    elif mask:
        masks[mask] = draw.number(0, every)
    if masks["shrinkAxisMask"]:
        strides = [1] * len(shape)
    if masks["newAxisMask"]:
        begins, ends, strides = [0] * len(shape), [1] * len(shape), [1] * len(shape)
    inputs = [net.activation(shape), *(net.integers(v) for v in (begins, ends, strides))]
    return net.operator("STRIDED_SLICE", inputs, **masks)


def space_to_batch(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    rank = draw.one([3, 4])
    blocks = [draw.number(1, 3) for _ in range(rank - 2)]
    sizes = [block * draw.number(1, 3) for block in blocks]
    firsts = [draw.number(0, block) for block in blocks]
    around = [[before, block - before] for before, block in zip(firsts, blocks)]
    if draw.chance():
        around = [[0, 0] for _ in blocks]
    x = net.activation((draw.number(1, 2), *sizes, draw.number(1, 4)))
    return net.operator("SPACE_TO_BATCH_ND", [x, net.integers(blocks), net.integers(around)])


def batch_to_space(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    rank = draw.one([3, 4])
    blocks = [draw.number(1, 3) for _ in range(rank - 2)]
    sizes = [draw.number(2, 4) for _ in blocks]
    crops = [[draw.number(0, 1), 0] for _ in blocks]
    x = net.activation((int(np.prod(blocks)) * draw.number(1, 2), *sizes, draw.number(1, 4)))
    return net.operator("BATCH_TO_SPACE_ND", [x, net.integers(blocks), net.integers(crops)])


def broadcast_to(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    ones = tuple(draw.one([1, size]) for size in shape)
    return net.operator("BROADCAST_TO", [net.activation(ones), net.integers(shape)])


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


def expand_dims(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(1, 6))
    axis = net.constant(np.array(draw.number(-1, len(shape)), np.int32))
    return net.operator("EXPAND_DIMS", [net.activation(shape), axis])


def squeeze(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = list(draw.shape(range(2, 7)))
    axis = draw.number(0, len(shape) - 1)
    shape[axis] = 1
    return net.operator("SQUEEZE", [net.activation(shape)], squeezeDims=[axis])


def reshape(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    made = np.array([int(np.prod(shape)), 1], np.int32)
    inputs = [net.activation(shape)]
    if draw.chance():
        inputs.append(net.constant(made))
    return net.operator("RESHAPE", inputs, newShape=made)


def gather(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    axis = draw.number(0, len(shape) - 1)
    batch = draw.number(0, axis) if draw.chance() else 0
    of_indices = (*shape[:batch], *draw.shape([0, 1, 2], 3))
    indices = np.zeros(of_indices, np.int32) + draw.number(0, shape[axis] - 1)
    return net.operator(
        "GATHER", [net.activation(shape), net.constant(indices)], axis=axis, batchDims=batch
    )


def gather_nd(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(1, 6))
    depth = draw.number(1, len(shape))
    rows = [[draw.number(0, size - 1) for size in shape[:depth]] for _ in range(draw.number(1, 4))]
    return net.operator("GATHER_ND", [net.activation(shape), net.integers(rows)])


def pads(draw: Draw, shape: Sequence[int], most: int = 2) -> list[list[int]]:
    return [[draw.number(0, most), draw.number(0, most)] for _ in shape]


def pad(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(1, 6), 4)
    return net.operator("PAD", [net.activation(shape), net.integers(pads(draw, shape))])


def padv2(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(1, 6), 4)
    value = net.constant(np.array(draw.one([-9.0, 0.0, 1.0]), np.float32))
    return net.operator("PADV2", [net.activation(shape), net.integers(pads(draw, shape)), value])


def mirror_pad(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = tuple(draw.number(2, 4) for _ in range(draw.number(1, 5)))
    inputs = [net.activation(shape), net.integers(pads(draw, shape, 1))]
    return net.operator("MIRROR_PAD", inputs, mode=draw.number(0, 1))


def resize(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        x = net.activation((draw.number(1, 2), *draw.shape([2], 6), draw.number(1, 4)))
        size = net.integers([draw.number(1, 9), draw.number(1, 9)])
        name = draw.one(["alignCorners", "halfPixelCenters", ""])
        options: Options = {name: True} if name else {}
        return net.operator(kind, [x, size], **options)

    return layer


def reverse(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    axis = draw.number(0, len(shape) - 1)
    return net.operator("REVERSE_V2", [net.activation(shape), net.integers([axis])])


def depth_to_space(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    block = draw.number(1, 3)
    x = net.activation((draw.number(1, 2), *draw.shape([2]), block * block * draw.number(1, 2)))
    return net.operator("DEPTH_TO_SPACE", [x], blockSize=block)


def space_to_depth(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    block = draw.number(1, 3)
    sizes = [block * draw.number(1, 3) for _ in range(2)]
    x = net.activation((draw.number(1, 2), *sizes, draw.number(1, 3)))
    return net.operator("SPACE_TO_DEPTH", [x], blockSize=block)


def split(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape, parts = list(draw.shape(ANY_RANK)), draw.number(1, 3)
    axis = draw.number(0, len(shape) - 1)
    shape[axis] = parts * draw.number(1, 2)
    at = net.constant(np.array(axis - draw.one([0, len(shape)]), np.int32))
    made = ["FLOAT32"] * parts
    return net.operator("SPLIT", [at, net.activation(shape)], made, numSplits=parts)


def split_v(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape, sizes = list(draw.shape(ANY_RANK)), [draw.number(1, 3) for _ in range(draw.number(1, 3))]
    axis = draw.number(0, len(shape) - 1)
    shape[axis] = sum(sizes)
    at = net.constant(np.array(axis, np.int32))
    return net.operator(
        "SPLIT_V",
        [net.activation(shape), net.integers(sizes), at],
        ["FLOAT32"] * len(sizes),
        numSplits=len(sizes),
    )


def unpack(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(2, 6), 3)
    axis = draw.number(0, len(shape) - 1)
    count = shape[axis]
    x = net.activation(shape)
    return net.operator("UNPACK", [x], ["FLOAT32"] * count, num=count, axis=axis)


def tile(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK, 3)
    return net.operator("TILE", [net.activation(shape), net.integers(draw.shape([len(shape)], 2))])


def top_k(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    count = net.constant(np.array(draw.number(1, shape[-1]), np.int32))
    return net.operator("TOPK_V2", [net.activation(shape), count], ["FLOAT32", "INT32"])[:1]


def transpose(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    return net.operator("TRANSPOSE", [net.activation(shape), net.integers(draw.order(len(shape)))])


def index_of(kind: str) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        shape = draw.shape(ANY_RANK)
        axis = net.constant(np.array(draw.number(0, len(shape) - 1), np.int32))
        return net.operator(kind, [net.activation(shape), axis], ["INT32"], outputType=2)

    return layer


def diagonal(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    return net.operator("MATRIX_DIAG", [net.activation(draw.shape(range(1, 5)))])


def set_diagonal(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(range(2, 5))
    part = (*shape[:-2], min(shape[-2:]))
    return net.operator("MATRIX_SET_DIAG", joined(net, draw, [shape, part]))


def embedding(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape([2, 3])
    table = net.constant(draw.values(shape)) if draw.chance() else net.activation(shape)
    return net.operator("EMBEDDING_LOOKUP", [computed_indices(net, draw, shape[0]), table])


COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")

LAYERS: dict[str, Layer] = {
    "ABS": unary("ABS"),
    "ADD": twice("ADD"),
    "ARG_MAX": index_of("ARG_MAX"),
    "ARG_MIN": index_of("ARG_MIN"),
    "AVERAGE_POOL_2D": pool("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": batch_matmul,
    "BATCH_TO_SPACE_ND": batch_to_space,
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEPTH_TO_SPACE": depth_to_space,
    "DYNAMIC_UPDATE_SLICE": dynamic_update_slice,
    "ELU": unary("ELU"),
    "EMBEDDING_LOOKUP": embedding,
    "EXP": unary("EXP", high=1.5),
    "EXPAND_DIMS": expand_dims,
    "FILL": fill,
    "FULLY_CONNECTED": dense,
    "GATHER": gather,
    "GATHER_ND": gather_nd,
    "GELU": gelu,
    "HARD_SWISH": unary("HARD_SWISH", -5.0, 5.0),
    "L2_NORMALIZATION": unary("L2_NORMALIZATION"),
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": unary("LOGISTIC", -6.0, 6.0),
    "LOG_SOFTMAX": unary("LOG_SOFTMAX"),
    "MATRIX_DIAG": diagonal,
    "MATRIX_SET_DIAG": set_diagonal,
    "MAXIMUM": larger("MAXIMUM"),
    "MAX_POOL_2D": pool("MAX_POOL_2D"),
    "MEAN": reduction("MEAN"),
    "MINIMUM": larger("MINIMUM"),
    "MIRROR_PAD": mirror_pad,
    "MUL": twice("MUL"),
    "ONE_HOT": one_hot,
    "PACK": pack,
    "PAD": pad,
    "PADV2": padv2,
    "PRELU": prelu,
    "REDUCE_MAX": reduction("REDUCE_MAX"),
    "REDUCE_MIN": reduction("REDUCE_MIN"),
    "REDUCE_PROD": reduction("REDUCE_PROD"),
    "RELU": unary("RELU"),
    "RELU6": unary("RELU6", high=8.0),
    "RELU_0_TO_1": unary("RELU_0_TO_1"),
    "RELU_N1_TO_1": unary("RELU_N1_TO_1"),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize("RESIZE_BILINEAR"),
    "RESIZE_NEAREST_NEIGHBOR": resize("RESIZE_NEAREST_NEIGHBOR"),
    "REVERSE_V2": reverse,
    "RSQRT": unary("RSQRT", low=0.3),
    "SCATTER_ND": scatter,
    "SELECT": select("SELECT"),
    "SELECT_V2": select("SELECT_V2"),
    "SLICE": cut,
    "SOFTMAX": softmax,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPARSE_TO_DENSE": sparse_to_dense,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUARED_DIFFERENCE": binary("SQUARED_DIFFERENCE"),
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "SUB": twice("SUB"),
    "SUM": reduction("SUM"),
    "TANH": unary("TANH", -3.0, 3.0),
    "TILE": tile,
    "TOPK_V2": top_k,
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transpose_conv,
    "UNPACK": unpack,
    **{kind: binary(kind, results="BOOL") for kind in COMPARISONS},
}
