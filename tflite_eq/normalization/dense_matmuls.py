"""BATCH_MATMUL by a constant matrix, which is a dense layer.

Exporters of PyTorch's and JAX's networks write linear layers on sequences like this. As a dense
layer the matrix has a scale for each output and a bias that is corrected, and kernels are faster.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


def lowered(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these products as FULLY_CONNECTED."""
    rewrite = Rewrite(graph)
    filters: dict[tuple[int, bool], int] = {}
    count = 0
    for operator in graph.operators:
        if operator.kind != "BATCH_MATMUL" or not _is_dense(graph, operator):
            continue
        source, matrix = operator.inputs
        stored = graph.tensors[matrix]
        key = matrix, bool(operator.options.adjY)
        if key not in filters:
            values = graph.constant(matrix).reshape(stored.shape[-2:])
            values = values if operator.options.adjY else np.ascontiguousarray(values.T)
            name = f"{stored.name}/outputs_first" if not operator.options.adjY else stored.name
            filters[key] = rewrite.add_constant(name, values)
        options = ("FullyConnectedOptions", {"keepNumDims": True})
        rewrite.replace(operator, "FULLY_CONNECTED", [source, filters[key], -1], options=options)
        count += 1
    if not count:
        return graph, None
    return rewrite.graph(), f"{counted(count, 'BATCH_MATMUL')} by a constant made FULLY_CONNECTED"


def _is_dense(graph: Graph, operator: Operator) -> bool:
    """Whether an operator multiplies every row of its input by one stored matrix."""
    source, matrix = (graph.tensors[index] for index in operator.inputs)
    return (
        not operator.options.adjX
        and matrix.is_constant
        and not source.is_constant
        and matrix.is_float
        and source.is_float
        and 2 <= len(matrix.shape) <= len(source.shape)
        and all(size == 1 for size in matrix.shape[:-2])
    )
