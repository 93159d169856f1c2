"""The front of a network that ends in operators which cannot be run here.

Detectors often end in operators of their makers that only the app's runtime has. What lies in front
of them can be calibrated all the same.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence, Set

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph


@dataclasses.dataclass(frozen=True)
class Split:
    """A network cut in two.

    Attributes:
        whole: The network, with the operators of the tail last; the same if it has no tail.
        front: Its operators in front of the tail, with the tensors and positions that they have in
            ``whole``. Its outputs are what the tail reads of it, behind those that are its own.
        tail: Positions of the tail's operators in ``whole``.
    """

    whole: Graph
    front: Graph
    tail: frozenset[int]


def split(graph: Graph, cannot_run: Set[int]) -> Split:
    """Cut off operators that cannot be run, and what depends on their results.

    Args:
        graph: The network.
        cannot_run: Indices of the operators.
    """
    behind: set[int] = set()
    tail = set()
    for operator in graph.operators:
        if operator.index in cannot_run or behind.intersection(operator.inputs):
            tail.add(operator.index)
            behind.update(operator.outputs)
    if not tail:
        return Split(graph, graph, frozenset())
    stored = graph.subgraph.operators
    first = [stored[o.index] for o in graph.operators if o.index not in tail]
    last = [stored[index] for index in sorted(tail)]
    read = {i for index in tail for i in graph.operators[index].inputs}
    written = {i for o in graph.operators if o.index not in tail for i in o.outputs}
    own = [index for index in graph.outputs if index not in behind]
    outputs = list(dict.fromkeys([*own, *sorted(read & written)]))
    whole = _with(graph, [*first, *last], graph.outputs)
    bare = copy.copy(graph.model)
    bare.signatureDefs = None  # their outputs are the whole network's
    front = _with(Graph(bare, graph.origin), first, outputs)
    return Split(whole, front, frozenset(range(len(first), len(stored))))


def _with(graph: Graph, operators: list[schema.OperatorT], outputs: Sequence[int]) -> Graph:
    model, subgraph = copy.copy(graph.model), copy.copy(graph.subgraph)
    subgraph.operators, subgraph.outputs = operators, list(outputs)
    model.subgraphs = [subgraph, *graph.model.subgraphs[1:]]
    return Graph(model, graph.origin)
