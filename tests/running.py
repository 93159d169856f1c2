"""Running models in tests, and quantizing each network only once per configuration."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models
from tflite_eq import Config, QuantizationResult, quantize
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Interpreter, Kernels, Runtime, preferred_runtime

Array = npt.NDArray[Any]


@functools.cache
def quantized(name: str, config: Config | None = None) -> QuantizationResult:
    """A network of ``models`` quantized on its own samples."""
    return quantize(models.build(name), models.data(name), config)


def run(
    model: bytes,
    inputs: Sequence[Array],
    kernels: Kernels = Kernels.REFERENCE,
    runtime: Runtime | None = None,
) -> list[Array]:
    """All outputs of a model for inputs in order."""
    interpreter = (runtime or preferred_runtime()).interpreter(model, kernels)
    _feed(interpreter, inputs, resize=True)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def run_many(
    model: bytes, samples: Sequence[Sequence[Array]], kernels: Kernels = Kernels.REFERENCE
) -> list[Array]:
    """The first output of a model for every sample, all of the first one's shapes."""
    interpreter = preferred_runtime().interpreter(model, kernels)
    outputs = []
    for number, inputs in enumerate(samples):
        _feed(interpreter, inputs, resize=number == 0)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return outputs


def _feed(interpreter: Interpreter, inputs: Sequence[Array], resize: bool) -> None:
    details = interpreter.get_input_details()
    if resize:
        for detail, value in zip(details, inputs):
            interpreter.resize_tensor_input(detail["index"], value.shape)
        interpreter.allocate_tensors()
    for detail, value in zip(details, inputs):
        interpreter.set_tensor(detail["index"], value)


def codes_of_all_tensors(
    model: bytes, inputs: Sequence[Array], kernels: Kernels = Kernels.REFERENCE
) -> dict[int, Array]:
    """Values of every computed tensor by index."""
    from tflite_eq.graph import edit

    graph = Graph.from_bytes(model)
    outputs = run(edit.with_all_tensors_as_outputs(graph), inputs, kernels)
    return dict(zip(edit.computed_tensors(graph), outputs))


def parameters(graph: Graph, index: int) -> tuple[Array, Array]:
    """Scales and zero points of a tensor; empty if it is not quantized."""
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.scale is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    return np.asarray(stored.scale, np.float32), np.asarray(stored.zeroPoint, np.int64)


def tensor_named(graph: Graph, name: str) -> int:
    """Index of the int8 tensor with a name."""
    return next(t.index for t in graph.tensors if t.name == name and t.type_name == "INT8")


def sqnr_db(reference: Array, values: Array) -> float:
    """Signal to quantization noise ratio in decibels."""
    noise = np.square(np.asarray(values, np.float64) - reference).sum()
    return float(10 * np.log10(np.square(reference.astype(np.float64)).sum() / max(noise, 1e-30)))
