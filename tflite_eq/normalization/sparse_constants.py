"""Constants stored sparsely: with their zeros left out, often behind a DENSIFY.

Kernels that read them as they are exist for few operators; a DENSIFY unpacks them at run time. Both
are the same values stored plainly. Sparse float16 constants pass through DENSIFY and then through
DEQUANTIZE, which ``half_floats`` takes out next.
"""

from __future__ import annotations

from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


def unpacked(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these constants stored densely."""
    rewrite = Rewrite(graph)
    sparse = [
        tensor.index
        for tensor in graph.tensors
        if tensor.is_constant and graph.subgraph.tensors[tensor.index].sparsity is not None
    ]
    for index in sparse:
        _store(rewrite, graph, index, index)
    for operator in graph.operators:
        source = operator.inputs[0] if operator.kind == "DENSIFY" else -1
        if source >= 0 and graph.tensors[source].is_constant:
            _store(rewrite, graph, operator.outputs[0], source)
            rewrite.remove(operator)
    if not rewrite.changed:
        return graph, None
    return rewrite.graph(), f"{counted(len(sparse), 'sparse constant')} unpacked"


def _store(rewrite: Rewrite, graph: Graph, index: int, source: int) -> None:
    """Store a constant's values plainly in a tensor, with the scales they have, if any."""
    rewrite.set_constant(index, graph.constant(source))
    rewrite.tensor(index).quantization = graph.subgraph.tensors[source].quantization
