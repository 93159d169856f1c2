"""Which operators to leave in float together, and how to name them.

An operator whose int8 kernel passes codes on unchanged in meaning - it moves them, chooses among
them, or takes their mean - is called a mover here. Leaving it in float alone changes nothing of
substance. But between two operators in float it has to be in float as well, or what passes through
it is rounded to codes on its way.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Set

from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.scale_groups import shares_scale


def island_of(graph: Graph, layer: LinearLayer, skipped: Set[int]) -> frozenset[int]:
    """A layer with the operators that compute its input, as indices.

    A float layer behind one in int8 would still read codes. Movers in between are left out;
    ``with_movers`` adds those that are needed.

    Args:
        graph: The float network.
        layer: The layer.
        skipped: Operators that stay in float anyway; they and what is behind them are left out.
    """
    found = {layer.operator.index}
    waiting = [layer.input]
    while waiting:
        writer = graph.producer(waiting.pop())
        if writer is None or writer.index in found or writer.index in skipped:
            continue
        if shares_scale(writer):
            waiting.extend(writer.inputs)
        else:
            found.add(writer.index)
    return frozenset(found)


def with_movers(graph: Graph, islands: Set[int]) -> set[int]:
    """Operators in float and those that move values between them, as indices.

    Moved values are those that an operator in float has computed and another reads, directly or
    through further movers. The network's own inputs and outputs count, unless nothing in float
    lies on the other side.

    Args:
        graph: The float network.
        islands: Operators to leave in float.
    """
    movers = [o for o in graph.operators if _moves(graph, o) and o.index not in islands]
    computed = {i for o in graph.operators if o.index in islands for i in o.outputs}
    read = {i for o in graph.operators if o.index in islands for i in o.inputs}
    behind_island, behind_input = set(computed), set(graph.inputs)
    for mover in movers:
        for reached in (behind_island, behind_input):
            if reached.intersection(mover.inputs):
                reached.update(mover.outputs)
    before_island, before_output = set(read), set(graph.outputs)
    for mover in reversed(movers):
        for reached in (before_island, before_output):
            if reached.intersection(mover.outputs):
                reached.update(mover.inputs)
    found = set(islands)
    for mover in movers:
        is_computed = behind_island.intersection(mover.inputs)
        is_read = before_island.intersection(mover.outputs)
        if (is_computed and (is_read or before_output.intersection(mover.outputs))) or (
            is_read and behind_input.intersection(mover.inputs)
        ):
            found.add(mover.index)
    return found


def kinds_of(graph: Graph, operators: Set[int]) -> str:
    """Kinds of operators for a message, such as ``NEG (2), CAST``."""
    kinds = collections.Counter(graph.operators[index].kind for index in sorted(operators))
    return ", ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in kinds.items())


def matching(
    names: Iterable[str], others: Iterable[str] = (), pattern: str | None = None
) -> str | None:
    """A regular expression for names and for what another expression matches; None for nothing.

    Args:
        names: What to match.
        others: All names there are. Converters join the names of fused operators by semicolons;
            the first part will do where it tells the name from all others.
        pattern: The other expression.
    """
    wanted = sorted(names)
    if not wanted:
        return pattern
    firsts = collections.Counter(name.split(";")[0] for name in {*others, *wanted})
    short = [name.split(";")[0] for name in wanted]
    is_unique = all(firsts[first] == 1 and first for first in short)
    chosen, end = (short, "(;|$)") if is_unique else (wanted, "$")
    escaped = "|".join(re.escape(name) for name in chosen)
    own = f"^({escaped}){end}" if len(chosen) > 1 else f"^{escaped}{end}"
    return own if pattern is None else f"{pattern}|{own}"


def _moves(graph: Graph, operator: Operator) -> bool:
    """Whether the operator is a mover of float values."""
    return shares_scale(operator) and graph.tensors[operator.outputs[0]].is_float
