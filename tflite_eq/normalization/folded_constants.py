"""What is computed of constants alone, computed once and stored."""

from __future__ import annotations

import math

from tflite_eq.errors import ModelError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# Results with more values stay computed, as a file would grow by them.
_MOST_VALUES = 1 << 22

_TYPES = frozenset({"BOOL", "FLOAT32", "INT32", "INT64"})

# These give something else each time.
_RANDOM = frozenset(
    """
    MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM STABLEHLO_RNG_BIT_GENERATOR
    """.split()
)


def folded(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these operators replaced by what they give."""
    count = 0
    left: set[str] = set()
    while True:
        rewrite = Rewrite(graph)
        for operator in graph.operators:
            name = graph.tensors[operator.outputs[0]].name if operator.outputs else ""
            if name in left or not _is_of_constants(graph, operator):
                continue
            try:
                results = OperatorRunner(graph, operator).run([])
            except ModelError:
                left.add(name)  # an operator that cannot be run is for later checks to name
                continue
            for index, values in zip(operator.outputs, results):
                rewrite.set_constant(index, values)
            rewrite.remove(operator)
            count += 1
        if not rewrite.changed:
            break
        graph = rewrite.graph()
    if not count:
        return graph, None
    return graph, f"{counted(count, 'operator')} on constants computed beforehand"


def _is_of_constants(graph: Graph, operator: Operator) -> bool:
    """Whether all that an operator reads is stored, and what it writes can be."""
    if operator.kind in _RANDOM | properties.UNSUPPORTED or operator.kind.startswith("CUSTOM:"):
        return False
    read = [graph.tensors[index] for index in operator.inputs if index >= 0]
    if not read or not all(tensor.is_constant for tensor in read):
        return False
    return not set(operator.outputs) & set(graph.outputs) and all(
        tensor.type_name in _TYPES and 0 < math.prod(tensor.shape) <= _MOST_VALUES
        for tensor in (graph.tensors[index] for index in operator.outputs)
    )
