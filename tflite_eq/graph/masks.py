"""Constants that stand for minus infinity, and the operators that take them to what ignores them.

Attention hides what it may not see by adding -1e9 to its score, or by choosing that in its place,
in front of a softmax; maxima are padded in the same way. The scale that holds -1e9 has no code left
for the scores, and one that holds the scores leaves what is hidden a share in the result. So these
operators stay in float, from the one that reads the constant to the softmax or maximum.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator

# Of a score that is so much lower a softmax makes 2e-22: it is no score any more.
_HIDES = 50.0

# What 0 or 1 is multiplied by before it is added to scores.
_FACTOR = 1000.0

_SOFTMAX = frozenset({"LOG_SOFTMAX", "SOFTMAX"})
_MAXIMA = frozenset({"ARG_MAX", "MAX_POOL_2D", "REDUCE_MAX"})
_CHOOSES = frozenset({"PADV2", "SELECT", "SELECT_V2"})
_ADDS = frozenset({"ADD", "SUB"})
_MOVES = (properties.SAME_SCALE - properties.AVERAGING - _MAXIMA) | _ADDS


def mask_operators(graph: Graph) -> frozenset[int]:
    """Indices of the operators between such constants and what ignores them, both ends included."""
    carriers = _Carriers(graph)
    found = set()
    wanted: set[int] = set()
    for operator in reversed(graph.operators):
        carried = carriers.read_by(operator)
        ends = carriers.is_end(operator)
        if ends or wanted.intersection(operator.outputs):
            found.add(operator.index)
            wanted |= carried
    return frozenset(found)


def hiding_constants(graph: Graph) -> list[float]:
    """What stands for minus infinity in the network's masks, as it is added; none twice."""
    found = []
    for index in sorted(mask_operators(graph)):
        extremes = [_extreme(graph, graph.operators[index], sign) for sign in (-1, 1)]
        largest = max((abs(e) for e in extremes if e is not None), default=0.0)
        if largest >= _HIDES:
            found.append(-largest)
    return list(dict.fromkeys(found))


class _Carriers:
    """The tensors that hold what stands for minus infinity, by what may ignore it.

    Products become masks only where they are added to something.
    """

    def __init__(self, graph: Graph) -> None:
        self._chosen: set[int] = set()
        self._added: set[int] = set()
        self._products: set[int] = set()
        for operator in graph.operators:
            self._follow(graph, operator)

    def read_by(self, operator: Operator) -> set[int]:
        """What an operator reads of them."""
        return (self._chosen | self._added | self._products).intersection(operator.inputs)

    def is_end(self, operator: Operator) -> bool:
        """Whether an operator ignores what it reads of them."""
        if operator.kind in _SOFTMAX:
            return bool((self._chosen | self._added).intersection(operator.inputs))
        return operator.kind in _MAXIMA and bool(self._chosen.intersection(operator.inputs))

    def _follow(self, graph: Graph, operator: Operator) -> None:
        kind, read = operator.kind, set(operator.inputs)
        if properties.fused_activation(operator) != "NONE":
            return
        if kind in _CHOOSES and _reaches(graph, operator, -1, _HIDES):
            self._chosen.update(operator.outputs)
        elif kind in _ADDS and (_hides(graph, operator) or read & self._products):
            self._added.update(operator.outputs)
        elif kind == "MUL" and any(_reaches(graph, operator, sign, _FACTOR) for sign in (-1, 1)):
            self._products.update(operator.outputs)
        elif kind in _MOVES:
            for carried in (self._chosen, self._added, self._products):
                if read & carried:
                    carried.update(operator.outputs)


def _hides(graph: Graph, operator: Operator) -> bool:
    """Whether an ADD or SUB takes some values down by far."""
    for position, index in enumerate(operator.inputs):
        sign = 1 if operator.kind == "SUB" and position else -1
        found = _farthest(graph, index, sign)
        if found is not None and abs(found) >= _HIDES:
            return True
    return False


def _reaches(graph: Graph, operator: Operator, sign: int, size: float) -> bool:
    """Whether an operator reads a constant with a value of a sign and at least a size."""
    found = _extreme(graph, operator, sign)
    return found is not None and abs(found) >= size


def _extreme(graph: Graph, operator: Operator, sign: int) -> float | None:
    """The value farthest from 0 on one side of the constants that an operator reads."""
    found = [_farthest(graph, index, sign) for index in operator.inputs]
    extremes = [sign * value for value in found if value is not None]
    return sign * max(extremes) if extremes else None


def _farthest(graph: Graph, index: int, sign: int) -> float | None:
    """The value of a float constant farthest from 0 on one side; ``None`` of other tensors."""
    if index < 0 or not (graph.tensors[index].is_constant and graph.tensors[index].is_float):
        return None
    return sign * float(np.max(sign * graph.constant(index), initial=0.0))
