"""TensorFlow's MLIR quantizer: the one place that calls a private function.

``mlir_quantize`` turns min/max annotations of a float flatbuffer into int8 parameters and honours
them exactly.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.quiet import quiet


def quantized_by_mlir(
    graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
) -> bytes:
    """An int8 network with float ends; names of the float one are the beginnings of its names."""
    options: dict[str, Any] = {"input_data_type": tf.float32, "output_data_type": tf.float32}
    if keep_float:
        outputs = [graph.operators[index].outputs for index in sorted(keep_float)]
        options["denylisted_nodes"] = [
            ";".join(graph.tensors[i].name for i in indices) for indices in outputs
        ]
    with quiet():
        return bytes(mlir_quantize(_annotated(graph, params), **options))


def _annotated(graph: Graph, params: Mapping[int, AffineParams]) -> bytes:
    """The float flatbuffer with the real range of every tensor's codes as its min and max."""
    generated = schema.schema()
    model = copy.copy(graph.model)
    subgraph = copy.copy(graph.subgraph)
    subgraph.tensors = [copy.copy(t) for t in subgraph.tensors]
    model.subgraphs = [subgraph]
    for index, tensor in enumerate(subgraph.tensors):
        if graph.tensors[index].is_constant:
            continue
        tensor.quantization = None
        if index in params:
            low, high = params[index].real_range
            tensor.quantization = generated.QuantizationParametersT()
            tensor.quantization.min = np.array([low], np.float32)
            tensor.quantization.max = np.array([high], np.float32)
    return schema.serialize(model)
