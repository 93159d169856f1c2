"""Sparse tensors: whether what one says of its stored values holds, and all of its values.

Runtimes unpack blindly, so it is checked first.

The format is TFLite's, after TACO (arXiv 1802.10574): dimensions, blocks last, are stored one
inside another in ``traversalOrder``, each either dense or as segments of indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema

# Values that unpacking may lead to; a tensor has no more in TFLite.
_MOST_VALUES = (1 << 31) - 1


def stored_values(sparsity: Any, shape: Sequence[int]) -> int:
    """How many values a sparse tensor stores.

    Args:
        sparsity: The schema's ``SparsityParametersT``.
        shape: Shape of the tensor.

    Raises:
        ValueError: The parameters contradict each other or the shape.
    """
    order, blocked = _ints(sparsity.traversalOrder), _ints(sparsity.blockMap)
    levels = sparsity.dimMetadata or []
    if sorted(order) != list(range(len(shape) + len(blocked))) or len(levels) != len(order):
        raise ValueError(
            f"{len(levels)} dimensions in the order {order[:20]} with {len(blocked)} blocks do not "
            f"make {len(shape)} dimensions"
        )
    if sorted(set(blocked)) != sorted(blocked) or not set(blocked) <= set(range(len(shape))):
        raise ValueError(f"the blocks {blocked[:20]} are not of different dimensions")
    sizes = _sizes(levels, order, blocked, shape)
    count = 1
    for dimension, level in zip(order, levels):
        count = _inside(level, sizes[dimension], count)
    return count


def dense_values(sparsity: Any, shape: Sequence[int], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """All values of a sparse tensor, zeros included.

    Args:
        sparsity: The schema's ``SparsityParametersT``, as ``stored_values`` accepts it.
        shape: Shape of the tensor.
        values: The stored ones, in their order.

    Returns:
        An array of ``shape``.
    """
    order, blocked = _ints(sparsity.traversalOrder), _ints(sparsity.blockMap)
    # Along each dimension walked so far, where the entries lie; all arrays are of equal length.
    walked: dict[int, npt.NDArray[np.int64]] = {}
    count = 1
    for dimension, level in zip(order, sparsity.dimMetadata):
        outer, inner = _entries(level, count)
        walked = {known: where[outer] for known, where in walked.items()}
        walked[dimension] = inner
        count = len(inner)
    # A block's size is that of the dense dimension that runs through it.
    for number, dimension in enumerate(blocked):
        block = sparsity.dimMetadata[order.index(len(shape) + number)].denseSize
        walked[dimension] = walked[dimension] * block + walked[len(shape) + number]
    dense = np.zeros(shape, values.dtype)
    # Trailing bits fill up a byte of packed codes.
    dense[tuple(walked[dimension] for dimension in range(len(shape)))] = values[:count]
    return dense


def _entries(level: Any, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each entry of a level, the entry of the level around it, and where it lies in that."""
    if level.format == schema.schema().DimensionType.DENSE:
        size = level.denseSize
        return np.repeat(np.arange(count), size), np.tile(np.arange(size), count)
    segments = np.array(_ints(level.arraySegments.values), np.int64)
    inner = np.array(_ints(level.arrayIndices.values), np.int64)
    return np.repeat(np.arange(count), np.diff(segments)), inner


def _sizes(
    levels: Sequence[Any], order: Sequence[int], blocked: Sequence[int], shape: Sequence[int]
) -> list[int]:
    """Sizes of the dimensions in blocks, then those of the blocks."""
    dense = schema.schema().DimensionType.DENSE
    sizes = list(shape)
    for number, dimension in enumerate(blocked):
        level = levels[order.index(len(shape) + number)]
        block = level.denseSize
        if level.format != dense or block < 1 or sizes[dimension] % block:
            raise ValueError(f"blocks of {block} do not make dimension {dimension} of {shape}")
        sizes[dimension] //= block
        sizes.append(block)
    return sizes


def _inside(level: Any, size: int, outer: int) -> int:
    """Number of entries of one level, given that of the level around it."""
    types = schema.schema().DimensionType
    if level.format == types.DENSE:
        if level.denseSize != size or outer * size > _MOST_VALUES:
            raise ValueError(f"a dense dimension has size {level.denseSize}, expected {size}")
        return outer * size
    if level.format != types.SPARSE_CSR:
        raise ValueError(f"a dimension has format {level.format}")
    segments = _ints(getattr(level.arraySegments, "values", None))
    indices = _ints(getattr(level.arrayIndices, "values", None))
    is_rising = all(a <= b for a, b in zip(segments, segments[1:]))
    if len(segments) != outer + 1 or not is_rising or segments[0] != 0:
        raise ValueError(f"a sparse dimension has {len(segments)} segments, expected {outer + 1}")
    if segments[-1] != len(indices) or any(not 0 <= index < size for index in indices):
        raise ValueError(
            f"a sparse dimension has {len(indices)} indices, expected {segments[-1]} below {size}"
        )
    return len(indices)


def _ints(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]
