"""Inputs to try a quantized model on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq import metadata
from tflite_eq.graph import edit
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session

Array = npt.NDArray[Any]

_SIGN_BIT = 0x80  # between an int8 code and the uint8 code of the same value


def random_inputs(graph: Graph, count: int, seed: int) -> Iterator[list[Array]]:
    """Random values for all inputs of a model.

    Every other sample, the first included, is uniform over all codes, which reaches the extremes.
    Those between are normal within the window that the quantizer promised for the tensor, if it
    recorded one, as the data of a user would be; they keep later layers from saturating.

    Args:
        graph: The model.
        count: Number of samples.
        seed: Seeds the values.
    """
    rng = np.random.default_rng(seed)
    record = metadata.read(graph.model)
    windows = record.windows if record else {}
    for number in range(count):
        uniform = number % 2 == 0
        yield [_random_values(graph, i, rng, None if uniform else windows) for i in graph.inputs]


def ordinary_inputs(graph: Graph, seed: int = 0) -> list[Array]:
    """One sample of the second kind."""
    return list(random_inputs(graph, 2, seed))[1]


def values_inside(
    graph: Graph, tensors: Sequence[int], runtime: Runtime, inputs: Sequence[Array] | None = None
) -> dict[int, Array]:
    """What tensors hold when the network runs on some inputs, ordinary ones if none are given.

    Kernels may depend on it for their speed.
    """
    found = dict(zip(graph.inputs, ordinary_inputs(graph) if inputs is None else inputs))
    wanted = [index for index in dict.fromkeys(tensors) if index not in found]
    if wanted:
        inside = runtime.interpreter(edit.with_outputs(graph, wanted), Kernels.BUILTIN)
        found.update(zip(wanted, Session(inside).run(list(found.values()))))
    return found


def typed_inputs(
    graph: Graph, samples: Iterable[Array | Mapping[str, Array]]
) -> Iterator[list[Array]]:
    """Real samples as values of the inputs' types, in the model's order.

    Args:
        graph: The model.
        samples: Arrays for a model with one input, else arrays by the inputs' names.
    """
    inputs = model_inputs(graph)
    for sample in samples:
        named = sample if isinstance(sample, Mapping) else {inputs[0].name: sample}
        yield [_typed(graph, one.index, named[one.name]) for one in inputs]


def _typed(graph: Graph, index: int, values: Array) -> Array:
    """Codes for real values where the input stores codes."""
    kind, params = graph.tensors[index].type_name, tensor_params(graph, index)
    if kind in ("INT8", "UINT8") and params is not None and values.dtype == np.float32:
        return _stored(quantize(values, params), kind)
    return values


def tensor_params(graph: Graph, index: int) -> AffineParams | None:
    """Parameters of a per-tensor quantized tensor, those of uint8 as of int8; else ``None``."""
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.scale is None or len(stored.scale) != 1:
        return None
    zero_point = int(stored.zeroPoint[0]) if stored.zeroPoint is not None else 0
    if graph.tensors[index].type_name == "UINT8":
        zero_point -= _SIGN_BIT
    return AffineParams(float(stored.scale[0]), zero_point)


def _random_values(
    graph: Graph,
    index: int,
    rng: np.random.Generator,
    windows: Mapping[str, tuple[int, int]] | None,
) -> Array:
    """Values of one input: uniform codes without windows, normal ones inside them with."""
    tensor = graph.tensors[index]
    if tensor.type_name not in ("INT8", "UINT8", "FLOAT32"):
        # Indices and conditions: any other value may be out of range.
        return np.zeros(tensor.shape, tensor.type_name.lower().replace("bool", "bool_"))
    codes_of = index
    for operator in graph.consumers(index):
        if operator.kind == "QUANTIZE":
            codes_of = operator.outputs[0]
    if windows is None:
        codes = rng.integers(-128, 128, tensor.shape).astype(np.int8)
    else:
        low, high = windows.get(graph.tensors[codes_of].name, (-128, 127))
        normal = rng.normal((low + high) / 2, (high - low) / 6, tensor.shape)
        codes = np.clip(np.rint(normal), low, high).astype(np.int8)
    if not tensor.is_float:
        return _stored(codes, tensor.type_name)
    params = tensor_params(graph, codes_of)
    if params is None:
        return codes.astype(np.float32) / np.float32(64)
    return dequantize(codes, params)


def _stored(codes: npt.NDArray[np.int8], kind: str) -> Array:
    return codes if kind == "INT8" else codes.view(np.uint8) ^ np.uint8(_SIGN_BIT)
