"""Sparse tensors: an oracle unpacks what is refused or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.graph.broken import operator_of, refused
from tflite_eq.graph import schema
from tflite_eq.graph.sparsity import dense_values, stored_values


def level(
    segments: list[int] | None = None, indices: list[int] | None = None, size: int = 0
) -> Any:
    """A dimension: sparse with segments of indices, else dense with a size."""
    generated = schema.schema()
    made = generated.DimensionMetadataT()
    made.format = generated.DimensionType.DENSE
    made.denseSize = size
    if segments is not None:
        made.format = generated.DimensionType.SPARSE_CSR
        made.arraySegmentsType = made.arrayIndicesType = generated.SparseIndexVector.Int32Vector
        made.arraySegments, made.arrayIndices = generated.Int32VectorT(), generated.Int32VectorT()
        made.arraySegments.values = np.array(segments, np.int32)
        made.arrayIndices.values = np.array(indices, np.int32)
    return made


def sparsity(order: list[int], levels: list[Any], blocks: list[int] | None = None) -> Any:
    made = schema.schema().SparsityParametersT()
    made.traversalOrder = np.array(order, np.int32)
    made.dimMetadata = levels
    made.blockMap = None if blocks is None else np.array(blocks, np.int32)
    return made


def of_matrix(matrix: np.ndarray[Any, Any]) -> tuple[Any, int]:
    """Compressed rows of a matrix, and how many values are not 0."""
    segments, indices = [0], []
    for row in matrix:
        indices += [int(i) for i in np.flatnonzero(row)]
        segments.append(len(indices))
    return sparsity([0, 1], [level(size=len(matrix)), level(segments, indices)]), len(indices)


@pytest.mark.parametrize("seed", range(5))
def test_compressed_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 2, (4, 6)) * rng.integers(1, 9, (4, 6))
    made, count = of_matrix(matrix)
    assert stored_values(made, matrix.shape) == count
    np.testing.assert_array_equal(dense_values(made, matrix.shape, matrix[matrix != 0]), matrix)


def test_blocks() -> None:
    # [4, 4] in blocks of [2, 2]; of the 2 x 2 blocks three are there.
    made = sparsity(
        [0, 1, 2, 3],
        [level(size=2), level([0, 1, 3], [1, 0, 1]), level(size=2), level(size=2)],
        [0, 1],
    )
    assert stored_values(made, (4, 4)) == 12
    expected = [[0, 0, 1, 2], [0, 0, 3, 4], [5, 6, 9, 10], [7, 8, 11, 12]]
    np.testing.assert_array_equal(dense_values(made, (4, 4), np.arange(1, 13)), expected)


@pytest.mark.parametrize(
    "made",
    [
        sparsity([], []),
        sparsity([0, 0], [level(size=4), level(size=6)]),
        sparsity([0, 2], [level(size=4), level(size=6)]),
        sparsity([0, 1], [level(size=4)]),
        sparsity([0, 1], [level(size=3), level(size=6)]),
        sparsity([0, 1], [level(size=-1), level(size=6)]),
        sparsity([0, 1], [level(size=4), level([0, 1], [0])]),
        sparsity([0, 1], [level(size=4), level([0, 2, 1, 2, 2], [0, 1])]),
        sparsity([0, 1], [level(size=4), level([0, 1, 1, 1, 2], [0, 6])]),
        sparsity([0, 1], [level(size=4), level([0, 1, 1, 1, 2], [0, -1])]),
        sparsity([0, 1], [level(size=4), level([0, 1, 1, 1, 9], [0, 1])]),
        sparsity([0, 1], [level(size=4), level([1, 1, 1, 1, 2], [0, 1])]),
        sparsity([0, 1, 2], [level(size=4), level(size=6), level(size=0)], [0]),
        sparsity([0, 1, 2], [level(size=4), level(size=6), level(size=3)], [0]),
        sparsity([0, 1, 2], [level(size=4), level(size=6), level(size=2)], [5]),
        sparsity([0, 1, 2, 3], [level(size=2)] * 4, [0, 0]),
    ],
)
def test_parameters_that_would_lead_out_of_the_tensor(made: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        stored_values(made, (4, 6))


def with_sparse_filter(values: int) -> Any:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        dense = operator_of(model, "FULLY_CONNECTED")
        tensor = graph.tensors[dense.inputs[1]]
        matrix = np.zeros(tuple(tensor.shape), np.int64)
        matrix[:, ::4] = 1
        tensor.sparsity, _ = of_matrix(matrix)
        model.buffers[tensor.buffer].data = np.zeros(4 * values, np.uint8)

    return change


def test_sparse_constant_of_another_size() -> None:
    refused(with_sparse_filter(7), "needs 160 bytes, but has 28")
