"""Constants of masks that are far below any score, made only as low as it takes.

Exporters write minus infinity, or the least float32, for what a softmax is to ignore. It makes the
same 0 of -1e9, as a maximum ignores that, and squares and differences of -1e9 are numbers.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.masks import mask_operators
from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

_LOW_ENOUGH = np.float32(1e9)


def moderated(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these constants between -1e9 and 1e9."""
    rewrite = Rewrite(graph)
    changed: dict[int, int] = {}
    for index in sorted(mask_operators(graph)):
        operator = graph.operators[index]
        inputs = list(operator.inputs)
        for position, tensor in enumerate(inputs):
            stored = graph.tensors[tensor] if tensor >= 0 else None
            if stored is None or not (stored.is_constant and stored.is_float):
                continue
            values = graph.constant(tensor)
            if tensor not in changed and np.any(np.abs(values) > _LOW_ENOUGH):
                moderate = values.clip(-_LOW_ENOUGH, _LOW_ENOUGH)
                changed[tensor] = rewrite.add_constant(f"{stored.name}/moderate", moderate)
            inputs[position] = changed.get(tensor, tensor)
        if inputs != list(operator.inputs):
            rewrite.connect(operator, inputs)
    if not changed:
        return graph, None
    made = counted(len(changed), "constant")
    return rewrite.graph(), f"{made} of a mask made -1e9 where below that"
