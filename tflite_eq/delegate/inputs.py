"""Inputs to try a quantized model on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize

Array = npt.NDArray[Any]

_SIGN_BIT = 0x80  # between an int8 code and the uint8 code of the same value


def random_inputs(graph: Graph, count: int, seed: int) -> Iterator[list[Array]]:
    """Random values for all inputs of a model.

    Every other sample is uniform over all codes, which reaches the extremes; those between are
    normal around the middle of the range, which keeps later layers from saturating.

    Args:
        graph: The model.
        count: Number of samples.
        seed: Seeds the values.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield [_random_values(graph, index, rng, number % 2 == 0) for index in graph.inputs]


def typed_inputs(graph: Graph, samples: Sequence[Array]) -> Iterator[list[Array]]:
    """Real samples of a model with one input, as values of the input's type."""
    (index,) = graph.inputs
    kind = graph.tensors[index].type_name
    for sample in samples:
        params = tensor_params(graph, index)
        if kind in ("INT8", "UINT8") and params is not None:
            yield [_stored(quantize(sample, params), kind)]
        else:
            yield [sample]


def tensor_params(graph: Graph, index: int) -> AffineParams | None:
    """Parameters of a per-tensor quantized tensor, those of uint8 as of int8; else ``None``."""
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.scale is None or len(stored.scale) != 1:
        return None
    zero_point = int(stored.zeroPoint[0]) if stored.zeroPoint is not None else 0
    if graph.tensors[index].type_name == "UINT8":
        zero_point -= _SIGN_BIT
    return AffineParams(float(stored.scale[0]), zero_point)


def _random_values(graph: Graph, index: int, rng: np.random.Generator, uniform: bool) -> Array:
    tensor = graph.tensors[index]
    if uniform:
        codes = rng.integers(-128, 128, tensor.shape).astype(np.int8)
    else:
        codes = np.clip(np.rint(rng.normal(0, 40, tensor.shape)), -128, 127).astype(np.int8)
    if tensor.type_name in ("INT8", "UINT8"):
        return _stored(codes, tensor.type_name)
    if not tensor.is_float:
        # Indices and conditions: any other value may be out of range.
        return np.zeros(tensor.shape, tensor.type_name.lower().replace("bool", "bool_"))
    for operator in graph.consumers(index):
        params = tensor_params(graph, operator.outputs[0])
        if operator.kind == "QUANTIZE" and params is not None:
            return dequantize(codes, params)
    return codes.astype(np.float32) / np.float32(64)


def _stored(codes: npt.NDArray[np.int8], kind: str) -> Array:
    return codes if kind == "INT8" else codes.view(np.uint8) ^ np.uint8(_SIGN_BIT)
