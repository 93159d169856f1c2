"""Operators that stand for a subgraph: composites and calls.

A composite names something larger than an operator, such as a normalisation, that a runtime may
have a kernel for; the subgraph says what it is. Written out it can be quantized.
"""

from __future__ import annotations

import copy
from typing import Any

from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.graph.subgraphs import called
from tflite_eq.text import counted

_KINDS = frozenset({"CALL", "STABLEHLO_COMPOSITE"})

# No export nests so many: a subgraph that calls itself does.
_DEEPEST = 32


def inlined(graph: Graph) -> tuple[Graph, str | None]:
    """The network with the operators of the subgraphs in their place.

    Raises:
        ModelError: A subgraph calls itself.
    """
    count = 0
    for _ in range(_DEEPEST):
        rewrite = Rewrite(graph)
        found = [o for o in graph.operators if o.kind in _KINDS and _inline(graph, rewrite, o)]
        if not found:
            break
        count += len(found)
        graph = rewrite.graph()
    else:
        raise ModelError(
            f"{graph.origin}: a subgraph calls itself, which no runtime can compute; convert the "
            "model again"
        )
    if not count:
        return graph, None
    return graph, f"{counted(count, 'composite operator')} written out"


def _inline(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """Put a subgraph in the place of the operator that stands for it, if that can be done."""
    stored = graph.subgraph.operators[operator.index]
    alone = schema.schema().SubGraphT()
    alone.operators = [stored]
    index = called(alone)
    if len(index) != 1 or not 0 < index[0] < len(graph.model.subgraphs):
        return False
    body = graph.model.subgraphs[index[0]]
    inputs, outputs = (_ints(indices) for indices in (body.inputs, body.outputs))
    fits = len(inputs) == len(operator.inputs) and len(outputs) == len(operator.outputs)
    if not fits or set(inputs) & set(outputs) or len(set(outputs)) != len(outputs):
        return False
    place = dict(zip([*inputs, *outputs], [*operator.inputs, *operator.outputs]))
    place[-1] = -1
    name = graph.tensors[operator.outputs[0]].name
    for number, tensor in enumerate(body.tensors):
        if number not in place:
            own = copy.copy(tensor)
            own.name = f"{name}/{(tensor.name or b'').decode()}".encode()
            place[number] = rewrite.add_stored_tensor(own)
    copies = []
    for inner in body.operators or []:
        made = copy.copy(inner)
        made.inputs = [place[i] for i in _ints(inner.inputs)]
        made.outputs = [place[i] for i in _ints(inner.outputs)]
        copies.append(made)
    rewrite.substitute(operator, copies)
    return True


def _ints(indices: Any) -> list[int]:
    return [] if indices is None else [int(index) for index in indices]
