"""float16 constants behind a DEQUANTIZE."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tests.running import run
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.half_floats import unpacked


def packed(data: bytes) -> bytes:
    """The same network as converters write it for half the size."""
    generated = schema.schema()
    model = schema.parse(data)
    subgraph = model.subgraphs[0]
    code = generated.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.DEQUANTIZE
    code.version = 3
    model.operatorCodes.append(code)
    graph = Graph(model)
    first = []
    for tensor in graph.tensors:
        if not (tensor.is_constant and tensor.is_float):
            continue
        values = graph.constant(tensor.index).astype(np.float16)
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
        half = generated.TensorT()
        half.name, half.shape = f"{tensor.name}_half".encode(), list(tensor.shape)
        half.type, half.buffer = generated.TensorType.FLOAT16, len(model.buffers) - 1
        subgraph.tensors.append(half)
        subgraph.tensors[tensor.index].buffer = 0
        stored = generated.OperatorT()
        stored.opcodeIndex = len(model.operatorCodes) - 1
        stored.inputs, stored.outputs = [len(subgraph.tensors) - 1], [tensor.index]
        first.append(stored)
    subgraph.operators = [*first, *subgraph.operators]
    return schema.serialize(model)


@pytest.mark.parametrize("name", ["conv_net", "dense_net"])
def test_computes_the_same_without_the_operators(name: str) -> None:
    half = packed(models.build(name))
    graph, change = unpacked(Graph.from_bytes(half))
    assert change is not None
    assert change.endswith("float16 constants unpacked")
    assert "DEQUANTIZE" not in map(schema.operator_kind, graph.model.operatorCodes)
    for sample in models.data(name)[:2]:
        (expected,) = run(half, sample)
        (found,) = run(schema.serialize(graph.model), sample)
        np.testing.assert_array_equal(found, expected)


def test_leaves_other_networks_alone() -> None:
    graph = Graph.from_bytes(models.build("conv_net"))
    assert unpacked(graph) == (graph, None)


def test_quantizes_and_says_so() -> None:
    half = packed(models.build("conv_net"))
    result = quantize(half, models.data("conv_net"))
    assert "float16 constants unpacked" in result.report.summary["normalized"][0]
    assert not any(t.is_float and t.is_constant for t in Graph.from_bytes(result.model).tensors)
