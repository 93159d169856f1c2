"""Subgraphs that nothing calls: those of other signatures, or of what has been written out."""

from __future__ import annotations

from tflite_eq.graph.model import Graph
from tflite_eq.graph.subgraphs import with_main
from tflite_eq.text import counted


def dropped(graph: Graph) -> tuple[Graph, str | None]:
    """The network without them."""
    if len(graph.model.subgraphs) == 1:
        return graph, None
    model = with_main(graph.model, 0)
    count = len(graph.model.subgraphs) - len(model.subgraphs)
    if not count:
        return graph, None
    change = f"{counted(count, 'subgraph')} that nothing calls left out"
    return Graph(model, graph.origin), change
