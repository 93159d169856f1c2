"""NEG, which has no int8 kernel: taken into what reads it, else a multiplication by -1.

Only signs change, so all values stay the same bit for bit.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# What may take a sign in, or pass it on.
_READERS = frozenset({"ADD", "MUL", "NEG", "SUB"})


def absorbed(graph: Graph) -> tuple[Graph, str | None]:
    """The network without NEG of real values."""
    count = sum(_is_negation(graph, operator) for operator in graph.operators)
    if not count:
        return graph, None
    # A sign only moves towards the outputs, so this ends.
    while True:
        rewrite = Rewrite(graph)
        for operator in graph.operators:
            if _is_negation(graph, operator) and _take_in(graph, rewrite, operator):
                break
        if not rewrite.changed:
            return graph, f"{counted(count, 'change')} of sign taken into other operators"
        graph = rewrite.graph()


def _is_negation(graph: Graph, operator: Operator) -> bool:
    return operator.kind == "NEG" and graph.tensors[operator.outputs[0]].is_float


def _take_in(graph: Graph, rewrite: Rewrite, negation: Operator) -> bool:
    """Take one NEG in where it is read, as far as possible, or put a MUL in its place."""
    (source,), (negated,) = negation.inputs, negation.outputs
    readers = graph.consumers(negated)
    taken = [_without(graph, rewrite, reader, negated, source) for reader in readers]
    if all(taken) and negated not in graph.outputs:
        rewrite.remove(negation)
        return True
    shape = (1,) if graph.tensors[source].shape else ()
    minus_one = rewrite.add_constant(
        f"{graph.tensors[negated].name}/minus_one", np.full(shape, -1, np.float32)
    )
    rewrite.replace(negation, "MUL", [source, minus_one], options=("MulOptions", {}))
    return True


def _without(graph: Graph, rewrite: Rewrite, reader: Operator, negated: int, source: int) -> bool:
    """Have an operator read ``source`` in place of ``negated`` and still compute the same."""
    if reader.kind not in _READERS or list(reader.inputs).count(negated) > 1:
        return False
    if reader.kind == "NEG":
        return _cancel(graph, rewrite, reader, source)
    activation = getattr(reader.options, "fusedActivationFunction", 0)
    first, second = reader.inputs
    other = second if first == negated else first
    if reader.kind == "ADD":
        return _become(rewrite, reader, "SUB", [other, source], activation)
    if reader.kind == "SUB" and second == negated:
        return _become(rewrite, reader, "ADD", [other, source], activation)
    name = graph.tensors[reader.outputs[0]].name
    if graph.tensors[other].is_constant:
        minus = rewrite.add_constant(f"{name}/negative", -graph.constant(other))
        if reader.kind == "SUB":
            return _become(rewrite, reader, "SUB", [minus, source], activation)
        return _become(rewrite, reader, "MUL", [source, minus], activation)
    if reader.kind == "MUL" and not activation and _goes_on(graph, reader):
        product = rewrite.add_tensor(reader.outputs[0], f"{name}/positive")
        rewrite.replace(reader, "MUL", [source, other], [product], ("MulOptions", {}))
        rewrite.add(reader, "NEG", [product], reader.outputs, ("NegOptions", {}))
        return True
    return False


def _become(
    rewrite: Rewrite, operator: Operator, kind: str, inputs: list[int], activation: int
) -> bool:
    options = {"fusedActivationFunction": activation}
    rewrite.replace(operator, kind, inputs, options=(f"{kind.title()}Options", options))
    return True


def _cancel(graph: Graph, rewrite: Rewrite, reader: Operator, source: int) -> bool:
    """Two signs in a row are none."""
    if reader.outputs[0] in graph.outputs:
        return False
    rewrite.bypass(reader, source)
    return True


def _goes_on(graph: Graph, product: Operator) -> bool:
    """Whether all that read a product can take its sign."""
    (result,) = product.outputs
    readers = graph.consumers(result)
    return result not in graph.outputs and all(
        reader.kind in _READERS and not (reader.kind == "SUB" and reader.inputs[0] == result)
        for reader in readers
    )
