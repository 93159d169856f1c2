"""What exports carry for variables and tables that nothing reads."""

from __future__ import annotations

from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

_KINDS = frozenset(
    """
    ASSIGN_VARIABLE CALL_ONCE HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE READ_VARIABLE
    VAR_HANDLE
    """.split()
)


def without_unread(graph: Graph) -> tuple[Graph, str | None]:
    """The network without them, unless an output depends on the value of one."""
    needed, wanted = set(), set(graph.outputs)
    for operator in reversed(graph.operators):
        if wanted.intersection(operator.outputs):
            needed.add(operator.index)
            wanted.update(operator.inputs)
    state = [operator for operator in graph.operators if operator.kind in _KINDS]
    if not state or any(operator.index in needed for operator in state):
        return graph, None
    rewrite = Rewrite(graph)
    for operator in graph.operators:
        if operator.index not in needed:
            rewrite.remove(operator)
    change = f"{counted(len(state), 'operator')} for variables that nothing reads taken out"
    return rewrite.graph(), change
