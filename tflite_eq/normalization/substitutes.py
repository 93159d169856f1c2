"""Operators without an int8 kernel that are the same as some with one.

Values agree to the rounding of float32; signs of zero may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite

# Puts others in the place of an operator, unless that does not give the same.
_Substitute = Callable[[Graph, Rewrite, Operator], bool]

# Reciprocals below are rounded more coarsely than their divisors.
_SMALLEST = float(np.finfo(np.float32).tiny)


def substituted(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these operators replaced."""
    rewrite = Rewrite(graph)
    found: Counter[str] = Counter()
    for operator in graph.operators:
        substitute = _SUBSTITUTES.get(operator.kind)
        if substitute is None or not graph.tensors[operator.outputs[0]].is_float:
            continue
        if substitute(graph, rewrite, operator):
            found[operator.kind] += 1
    if not found:
        return graph, None
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    return rewrite.graph(), f"{listed} replaced by operators with an int8 kernel"


def _square(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """As a product, or together with a difference that nothing else reads."""
    (x,) = operator.inputs
    front = graph.producer(x)
    is_alone = x not in graph.outputs and len(graph.consumers(x)) == 1
    if front is not None and front.kind == "SUB" and not _activation(front) and is_alone:
        rewrite.remove(front)
        options: tuple[str, dict[str, int]] = ("SquaredDifferenceOptions", {})
        rewrite.replace(operator, "SQUARED_DIFFERENCE", front.inputs, options=options)
        return True
    rewrite.replace(operator, "MUL", [x, x], options=("MulOptions", {}))
    return True


def _power(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """Squares, cubes and inverse square roots."""
    x, exponent = operator.inputs
    power = _scalar(graph, exponent)
    if power is None or graph.tensors[x].is_constant or not _keeps_shape(graph, x, operator):
        return False
    (result,) = operator.outputs
    if power == -0.5:
        rewrite.replace(operator, "RSQRT", [x])
    elif power == 2.0:
        rewrite.replace(operator, "MUL", [x, x], options=("MulOptions", {}))
    elif power == 3.0:
        square = rewrite.add_tensor(result, f"{graph.tensors[result].name}/square")
        rewrite.replace(operator, "MUL", [x, x], [square], ("MulOptions", {}))
        rewrite.add(operator, "MUL", [square, x], [result], ("MulOptions", {}))
    else:
        return False
    return True


def _quotient(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """Division by constants, and by square roots that nothing else reads."""
    x, divisor = operator.inputs
    (result,) = operator.outputs
    activation = _activation(operator)
    options = ("MulOptions", {"fusedActivationFunction": activation})
    name = graph.tensors[result].name
    if graph.tensors[divisor].is_constant:
        divisors = graph.constant(divisor).astype(np.float64)
        with np.errstate(divide="ignore"):
            factors = (1.0 / divisors).astype(np.float32)
        if not (np.isfinite(factors) & (np.abs(factors) >= _SMALLEST)).all():
            return False
        index = rewrite.add_constant(f"{name}/reciprocal", factors)
        rewrite.replace(operator, "MUL", [x, index], options=options)
        return True
    root = graph.producer(divisor)
    if root is None or root.kind != "SQRT" or divisor in graph.outputs:
        return False
    if len(graph.consumers(divisor)) > 1 or x == divisor:
        return False
    rewrite.remove(root)
    if _scalar(graph, x) == 1.0 and not activation and _keeps_shape(graph, divisor, operator):
        rewrite.replace(operator, "RSQRT", root.inputs)
        return True
    inverse = rewrite.add_tensor(divisor, f"{graph.tensors[divisor].name}/inverse")
    rewrite.replace(operator, "RSQRT", root.inputs, [inverse])
    rewrite.add(operator, "MUL", [x, inverse], [result], options)
    return True


def _sum(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """ADD_N: addends of one shape, added one by one."""
    total, *addends = operator.inputs
    if not addends:
        return False
    (result,) = operator.outputs
    rewrite.remove(operator)
    for number, addend in enumerate(addends):
        is_last = number + 1 == len(addends)
        name = f"{graph.tensors[result].name}/{number}"
        made = result if is_last else rewrite.add_tensor(result, name)
        rewrite.add(operator, "ADD", [total, addend], [made], ("AddOptions", {}))
        total = made
    return True


def _embedding(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    indices, table = operator.inputs
    rewrite.replace(operator, "GATHER", [table, indices], options=("GatherOptions", {"axis": 0}))
    return True


_SUBSTITUTES: dict[str, _Substitute] = {
    "ADD_N": _sum,
    "DIV": _quotient,
    "EMBEDDING_LOOKUP": _embedding,
    "POW": _power,
    "SQUARE": _square,
}


def _activation(operator: Operator) -> int:
    """The schema's code of the fused activation function, 0 if there is none."""
    return int(getattr(operator.options, "fusedActivationFunction", 0))


def _scalar(graph: Graph, tensor: int) -> float | None:
    """A constant's one value; None if it is no constant or has several."""
    if not graph.tensors[tensor].is_constant:
        return None
    values = np.unique(graph.constant(tensor))
    return float(values[0]) if len(values) == 1 else None


def _keeps_shape(graph: Graph, tensor: int, operator: Operator) -> bool:
    """Whether an operator's result has the shape of one of its operands."""
    return graph.tensors[tensor].shape == graph.tensors[operator.outputs[0]].shape
