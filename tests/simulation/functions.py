"""Networks of one elementwise function, in float and in int8."""

from __future__ import annotations

import functools

import numpy as np

from tests.built_models import NetworkBuilder
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.versions import set_int8_versions
from tflite_eq.numerics.affine import AffineParams


@functools.cache
def function_model(kind: str, alpha: float = 0.1, size: int = 256) -> bytes:
    """A float network of one function; ``alpha`` is LEAKY_RELU's."""
    builder = NetworkBuilder(1, size)
    x = builder.input
    y = builder.leaky_relu(x, alpha) if kind == "LEAKY_RELU" else builder.elementwise(kind, x)
    return builder.finished(y)


def function_graph(kind: str, alpha: float = 0.1) -> Graph:
    return Graph.from_bytes(function_model(kind, alpha))


def int8_function(
    kind: str, alpha: float, source: AffineParams, result: AffineParams, size: int = 256
) -> bytes:
    """The same network of int8 tensors [1, size], written by hand."""
    model = schema.parse(function_model(kind, alpha, size))
    generated = schema.schema()
    subgraph = model.subgraphs[0]
    for index, params in ((subgraph.inputs[0], source), (subgraph.outputs[0], result)):
        tensor = subgraph.tensors[index]
        tensor.type = generated.TensorType.INT8
        tensor.quantization = generated.QuantizationParametersT()
        tensor.quantization.scale = np.array([params.scale], np.float32)
        tensor.quantization.zeroPoint = np.array([params.zero_point], np.int64)
    set_int8_versions(Graph(model, kind))
    return schema.serialize(model)
