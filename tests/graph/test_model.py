from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import models, running
from tflite_eq.errors import ModelError
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph


def test_producers_consumers_and_constants() -> None:
    graph = Graph.from_bytes(models.residual_net())
    for operator in graph.operators:
        for index in operator.outputs:
            assert graph.producer(index) is operator
        for index in operator.inputs:
            assert operator in graph.consumers(index)
    assert graph.producer(graph.inputs[0]) is None
    assert graph.consumers(graph.outputs[0]) == []
    first = graph.operators[0]
    np.testing.assert_array_equal(
        graph.constant(first.inputs[1]), models.weights(3, 3, 3, 8, seed=1).transpose(3, 0, 1, 2)
    )
    np.testing.assert_array_equal(graph.constant(first.inputs[2]), models.biases(8, 1))


def test_constants_are_views_that_nobody_can_write_to() -> None:
    graph = edit.independent(Graph.from_bytes(models.residual_net()))
    tensor = graph.operators[0].inputs[1]
    edit.replace_constant(graph, tensor, np.array(graph.constant(tensor)))
    for index in graph.operators[0].inputs[1:]:
        values, stored = graph.constant(index), graph.subgraph.tensors[index].buffer
        assert np.shares_memory(values, graph.model.buffers[stored].data)
        with pytest.raises(ValueError, match="read-only"):
            values[:] = 0


def test_an_operator_that_reads_a_tensor_twice_is_one_consumer() -> None:
    graph = Graph.from_bytes(models.convert(lambda x: x * x, (1, 3)))
    assert len(graph.consumers(graph.inputs[0])) == 1


def test_tensor_facts() -> None:
    graph = Graph.from_bytes(models.keras_net())
    entrance = graph.tensors[graph.inputs[0]]
    assert entrance.dynamic
    assert entrance.shape == (1, 8, 8, 3)
    assert entrance.is_float
    assert not entrance.is_constant
    shape = next(graph.tensors[o.outputs[0]] for o in graph.operators if o.kind == "SHAPE")
    assert shape.type_name == "INT32"
    assert not shape.is_float


def test_round_trip_keeps_what_is_computed() -> None:
    model = models.two_input_net()
    again = schema.serialize(schema.parse(model))
    assert schema.serialize(schema.parse(again)) == again


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"TFL3", "not a TFLite flatbuffer"),
        (b"PK\x03\x04" + bytes(100), "not a TFLite flatbuffer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "not a TFLite flatbuffer but an HDF5 file"),
    ],
)
def test_what_is_no_flatbuffer_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Graph.from_bytes(data, "x.tflite")


@pytest.mark.parametrize("part", [0.01, 0.2, 0.5, 0.8, 0.95])
def test_truncated_files_are_refused(part: float) -> None:
    data = models.conv_net()
    with pytest.raises(ModelError, match=r"x\.tflite: "):
        Graph.from_bytes(data[: int(len(data) * part)], "x.tflite")


def test_damaged_files_raise_nothing_but_model_errors() -> None:
    data = models.dense_net()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(8, len(data), 20):
            damaged[position] = rng.integers(256)
        try:
            Graph.from_bytes(bytes(damaged))
        except ModelError:
            continue


def edit_graph(change: Any) -> bytes:
    model = schema.parse(models.dense_net())
    change(model)
    return schema.serialize(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 99),
        lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 999),
        lambda m: setattr(m.subgraphs[0].tensors[1], "type", 120),
        lambda m: setattr(m, "subgraphs", []),
    ],
)
def test_inconsistent_graphs_are_refused(change: Any) -> None:
    with pytest.raises(ModelError):
        Graph.from_bytes(edit_graph(change))


def with_buffers_behind(data: bytes) -> bytes:
    """The same file with all constants behind the flatbuffer, as in files beyond 2 GiB."""
    model = schema.parse(data)
    contents = {i: bytes(b.data) for i, b in enumerate(model.buffers) if b.data is not None}
    for index, content in contents.items():
        model.buffers[index].data = None
        model.buffers[index].offset, model.buffers[index].size = 1 << 30, len(content)
    position = -(-len(schema.serialize(model)) // 16) * 16  # the position does not change it
    placed = {}
    for index, content in contents.items():
        model.buffers[index].offset = position
        placed[position] = content
        position += -(-len(content) // 16) * 16
    file = bytearray(schema.serialize(model))
    for start, content in placed.items():
        file += bytes(start - len(file)) + content
    return bytes(file)


def test_constants_behind_the_flatbuffer_are_read_and_survive_editing() -> None:
    data = models.residual_net()
    behind = with_buffers_behind(data)
    sample = models.data("residual_net", 1)[0]
    expected = running.run(data, sample)[0]
    np.testing.assert_array_equal(running.run(behind, sample)[0], expected)
    graph = Graph.from_bytes(behind)
    first = graph.operators[0]
    np.testing.assert_array_equal(graph.constant(first.inputs[2]), models.biases(8, 1))
    rewritten = schema.serialize(graph.model)
    np.testing.assert_array_equal(running.run(rewritten, sample)[0], expected)


def test_a_file_that_ends_before_its_constants_is_refused() -> None:
    behind = with_buffers_behind(models.residual_net())
    with pytest.raises(ModelError, match=r"the file ends at byte \d+, but its buffer \d+ at byte"):
        Graph.from_bytes(behind[:-20])


def test_path_instead_of_bytes_is_refused() -> None:
    with pytest.raises(ModelError, match="as bytes, found a str; read the file first"):
        Graph.from_bytes("model.tflite")  # type: ignore[arg-type]
