"""Operators that take values in another order, or a part of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.operators.builder import Draw, OperatorBuilder
from tests.operators.forms import ANY_RANK, Options


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


def transpose(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    shape = draw.shape(ANY_RANK)
    return net.operator("TRANSPOSE", [net.activation(shape), net.integers(draw.order(len(shape)))])


def diagonal(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
    return net.operator("MATRIX_DIAG", [net.activation(draw.shape(range(1, 5)))])
