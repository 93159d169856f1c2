"""What all tensors of a network hold for some inputs, on the kernels that the report uses."""

from __future__ import annotations

import numpy as np

from tests import models, running
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels
from tflite_eq.statistics.ranges import Interval

Samples = list[list[models.Array]]


def tensor_values(model: bytes, samples: Samples) -> dict[str, models.Array]:
    """Real values of all computed tensors over all samples by name, each flat."""
    graph = Graph.from_bytes(model)
    instrumented = edit.with_all_tensors_as_outputs(graph)
    found: dict[str, list[models.Array]] = {}
    for sample in samples:
        outputs = running.run(instrumented, sample, Kernels.DEFAULT)
        for index, values in zip(edit.computed_tensors(graph), outputs):
            scale, zero_point = running.parameters(graph, index)
            if values.dtype == np.int8:
                values = (values.astype(np.float32) - float(zero_point[0])) * scale[0]
            found.setdefault(graph.tensors[index].name, []).append(values.ravel())
    return {name: np.concatenate(values) for name, values in found.items()}


def tensor_extremes(model: bytes, samples: Samples) -> dict[int, Interval]:
    """Smallest and largest value of all tensors of a float network with one input, by index."""
    graph = Graph.from_bytes(model)
    values = tensor_values(model, samples)
    values[graph.tensors[graph.inputs[0]].name] = np.concatenate([x.ravel() for [x] in samples])
    return {
        tensor.index: (float(values[tensor.name].min()), float(values[tensor.name].max()))
        for tensor in graph.tensors
        if tensor.is_float and tensor.name in values
    }


def cosine(exact: models.Array, values: models.Array) -> float:
    """Cosine between all values of two tensors."""
    a, b = exact.astype(np.float64), values.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
