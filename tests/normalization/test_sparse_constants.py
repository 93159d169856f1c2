"""Sparse constants; the runtime's own DENSIFY is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import built_models
from tests.built_models import NetworkBuilder
from tests.graph.test_sparsity import level, sparsity
from tests.normalization.compared import after, kinds
from tests.running import run
from tests.shared_data import zoo
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization import half_floats
from tflite_eq.normalization.sparse_constants import unpacked

Array = npt.NDArray[Any]


def encoded(
    dense: Array, order: list[int], blocks: dict[int, int], compressed: set[int]
) -> tuple[Any, Array]:
    """Sparsity parameters of an array, and the values that are stored.

    Args:
        dense: The array.
        order: Dimensions from the outermost inwards, without those of blocks.
        blocks: Sizes of the blocks by the dimension that they divide.
        compressed: Positions in ``order`` that are stored as segments of indices.
    """
    split: list[int] = []
    for axis, size in enumerate(dense.shape):
        split += [size // blocks.get(axis, 1), blocks.get(axis, 1)]
    outer = [2 * axis for axis in order]
    inner = [2 * axis + 1 for axis in blocks]
    walked = dense.reshape(split).transpose(
        [*outer, *inner, *(2 * a + 1 for a in range(dense.ndim) if a not in blocks)]
    )
    walked = walked.reshape([*walked.shape[: len(order)], *(blocks[a] for a in blocks)])
    levels = []
    entries: list[tuple[int, ...]] = [()]
    for position in range(len(order)):
        size = walked.shape[position]
        if position not in compressed:
            levels.append(level(size=size))
            entries = [(*e, i) for e in entries for i in range(size)]
            continue
        segments, indices, kept = [0], [], []
        for entry in entries:
            for i in range(size):
                if walked[(*entry, i)].any():
                    indices.append(i)
                    kept.append((*entry, i))
            segments.append(len(indices))
        entries = kept
        levels.append(level(segments, indices))
    levels += [level(size=blocks[axis]) for axis in blocks]
    values = np.concatenate([walked[e].ravel() for e in entries] or [np.zeros(0, dense.dtype)])
    numbers = [*order, *range(dense.ndim, dense.ndim + len(blocks))]
    return sparsity(numbers, levels, list(blocks) or None), values


def densified(dense: Array, parameters: Any, values: Array) -> bytes:
    """A network that adds its input to a sparse constant, float16 if the values are."""
    net = NetworkBuilder(*dense.shape)
    made = net.elementwise("DENSIFY", net.constant(np.zeros(dense.shape, np.float32)))
    if values.dtype == np.float16:
        made = net.elementwise("DEQUANTIZE", made)
    model = schema.parse(net.finished(net.elementwise("ADD", net.input, made)))
    densify = model.subgraphs[0].operators[0]
    stored, plain = (
        model.subgraphs[0].tensors[int(i[0])] for i in (densify.inputs, densify.outputs)
    )
    stored.sparsity = parameters
    model.buffers[stored.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    types = schema.schema().TensorType
    stored.type = plain.type = types.FLOAT16 if values.dtype == np.float16 else types.FLOAT32
    return schema.serialize(model)


@st.composite
def sparse_arrays(draw: st.DrawFn) -> tuple[Array, Any, Array]:
    shape = draw(st.lists(st.sampled_from([1, 2, 4, 6]), min_size=2, max_size=4))
    blocks = {
        axis: draw(st.sampled_from([b for b in (1, 2, 4) if shape[axis] % b == 0]))
        for axis in draw(st.sets(st.integers(0, len(shape) - 1), max_size=2))
    }
    order = draw(st.permutations(range(len(shape))))
    compressed = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    dense = (rng.standard_normal(shape) * (rng.random(shape) < 0.4)).astype(dtype)
    dense.flat[0] = 1.0  # a sparse constant without any value is none
    return (dense, *encoded(dense, list(order), blocks, compressed))


@settings(max_examples=40, deadline=None)
@given(sparse_arrays())
def test_unpacks_what_the_runtime_unpacks(made: tuple[Array, Any, Array]) -> None:
    dense, parameters, values = made
    data = densified(dense, parameters, values)
    x = np.zeros(dense.shape, np.float32)
    np.testing.assert_array_equal(run(data, [x])[0], dense)
    graph, change = after(data, unpacked)
    assert change == "1 sparse constant unpacked"
    np.testing.assert_array_equal(run(schema.serialize(graph.model), [x])[0], dense)
    assert kinds(graph) == ["DEQUANTIZE", "ADD"] if values.dtype == np.float16 else ["ADD"]


def with_sparse_filters(data: bytes) -> bytes:
    """A network whose dense layers read sparse filters themselves, every fourth column of them."""
    model = schema.parse(data)
    graph = Graph(model)
    for operator in graph.operators:
        if operator.kind != "FULLY_CONNECTED":
            continue
        filters = graph.constant(operator.inputs[1]).copy()
        filters[:, np.arange(filters.shape[1]) % 4 > 0] = 0
        stored = model.subgraphs[0].tensors[operator.inputs[1]]
        stored.sparsity, values = encoded(filters, [0, 1], {}, {1})
        model.buffers[stored.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return schema.serialize(model)


def test_filters_that_are_read_sparse() -> None:
    data = with_sparse_filters(built_models.conv_net())
    graph, _ = after(data, unpacked, within=1e-6)
    assert all(tensor.sparsity is None for tensor in graph.subgraph.tensors)
    result = quantize(data, built_models.samples())
    assert "1 sparse constant unpacked" in result.report.summary["normalized"]


def test_leaves_other_networks_alone() -> None:
    after(built_models.conv_net(), unpacked)


@pytest.mark.parametrize("name", ["mp_pose_detection", "mp_face_detection_full_range_sparse"])
def test_models_of_the_zoo(name: str) -> None:
    def stored_plainly(graph: Graph) -> tuple[Graph, str | None]:
        return half_floats.unpacked(unpacked(graph)[0])

    graph, _ = after(zoo(f"{name}.tflite").read_bytes(), stored_plainly)
    assert not {"DENSIFY", "DEQUANTIZE"} & set(kinds(graph))
