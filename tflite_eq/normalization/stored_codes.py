"""Weights stored as integer codes in a network that computes in float (dynamic-range models).

Such a file is float but for the size of its constants: no activation has a scale. The codes with
their scales are taken for the weights themselves. Some runtimes' *hybrid* kernels round activations
to 8 bits on the fly as well, sample by sample; that noise is no part of the network and is not
reproduced.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema
from tflite_eq.graph.consistency import CODES
from tflite_eq.graph.model import Graph, Tensor
from tflite_eq.graph.moved_codes import moved_codes
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


def unpacked(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these constants in float32.

    Args:
        graph: A network without quantized activations (``graph.checks.check_float_network``).
    """
    rewrite = Rewrite(graph)
    types = set()
    count = 0
    for tensor in graph.tensors:
        if not (tensor.is_constant and tensor.type_name in CODES and _scales(graph, tensor).size):
            continue
        readers = graph.consumers(tensor.index)
        if not readers:
            continue
        values = _values(graph, tensor)
        for reader in readers:
            if reader.kind == "DEQUANTIZE":
                rewrite.set_constant(reader.outputs[0], values)
                rewrite.remove(reader)
        if any(reader.kind != "DEQUANTIZE" for reader in readers):
            rewrite.set_constant(tensor.index, values)
        types.add(tensor.type_name.lower())
        count += 1
    if not count:
        return graph, None
    moved = moved_codes(graph)
    for index in moved:
        stored = rewrite.tensor(index)
        stored.type, stored.quantization = schema.schema().TensorType.FLOAT32, None
    for operator in graph.operators:
        if operator.kind == "DEQUANTIZE" and operator.inputs[0] in moved:
            rewrite.bypass(operator, operator.inputs[0])
    listed = " and ".join(sorted(types))
    return rewrite.graph(), (
        f"{counted(count, 'constant')} stored as {listed} taken as they are (what they lost to "
        "float is lost: the float model they came from would give better results)"
    )


def _scales(graph: Graph, tensor: Tensor) -> npt.NDArray[np.float32]:
    quantization = graph.subgraph.tensors[tensor.index].quantization
    stored = None if quantization is None else quantization.scale
    return np.asarray([] if stored is None else stored, np.float32)


def _values(graph: Graph, tensor: Tensor) -> npt.NDArray[np.float32]:
    """What the codes stand for, as the DEQUANTIZE kernel computes it."""
    quantization = graph.subgraph.tensors[tensor.index].quantization
    scales = _scales(graph, tensor)
    stored = quantization.zeroPoint
    zero_points = np.asarray([0] if stored is None or not len(stored) else stored, np.float64)
    codes = graph.constant(tensor.index).astype(np.float64)
    offset = codes - _along(zero_points, quantization.quantizedDimension, codes.ndim)
    scaled = offset * _along(scales, quantization.quantizedDimension, codes.ndim)
    return scaled.astype(np.float32)


def _along(values: npt.NDArray[Any], axis: int, dimensions: int) -> npt.NDArray[np.float64]:
    """One value per channel, or one for all, in a shape to compute with."""
    shape = [1] * dimensions
    if values.size > 1:
        shape[axis] = values.size
    return values.astype(np.float64).reshape(shape)
