"""Constants stored as float16 behind a DEQUANTIZE: what converters write to halve a file."""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


def unpacked(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these constants in float32."""
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        if operator.kind != "DEQUANTIZE":
            continue
        source = graph.tensors[operator.inputs[0]]
        if source.is_constant and source.type_name == "FLOAT16":
            values = graph.constant(source.index).astype(np.float32)
            rewrite.set_constant(operator.outputs[0], values)
            rewrite.remove(operator)
            count += 1
    return (
        (rewrite.graph(), f"{counted(count, 'float16 constant')} unpacked")
        if count
        else (graph, None)
    )
