"""StableHLO operators that a builtin one computes as well."""

from __future__ import annotations

from typing import Any

from tflite_eq.graph.model import Graph
from tflite_eq.graph.operator_form import INPUTS
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# Their operands have equal shapes, so that nothing is broadcast. With the class of the options.
_BUILTIN: dict[str, tuple[str, str | None]] = {
    "STABLEHLO_ABS": ("ABS", None),
    "STABLEHLO_ADD": ("ADD", "AddOptions"),
    "STABLEHLO_COSINE": ("COS", None),
    "STABLEHLO_DIVIDE": ("DIV", "DivOptions"),
    "STABLEHLO_EXPONENTIAL": ("EXP", "ExpOptions"),
    "STABLEHLO_FLOOR": ("FLOOR", None),
    "STABLEHLO_LOG": ("LOG", None),
    "STABLEHLO_LOGISTIC": ("LOGISTIC", None),
    "STABLEHLO_MAXIMUM": ("MAXIMUM", "MaximumMinimumOptions"),
    "STABLEHLO_MINIMUM": ("MINIMUM", "MaximumMinimumOptions"),
    "STABLEHLO_MULTIPLY": ("MUL", "MulOptions"),
    "STABLEHLO_NEGATE": ("NEG", "NegOptions"),
    "STABLEHLO_POWER": ("POW", "PowOptions"),
    "STABLEHLO_RSQRT": ("RSQRT", None),
    "STABLEHLO_SUBTRACT": ("SUB", "SubOptions"),
    "STABLEHLO_TANH": ("TANH", None),
}


def translated(graph: Graph) -> tuple[Graph, str | None]:
    """The network with builtin operators in their place, where they compute real values."""
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        kind, options = _BUILTIN.get(operator.kind, ("", None))
        if not kind or len(operator.inputs) != INPUTS[kind]:
            continue
        if all(graph.tensors[i].is_float for i in (*operator.inputs, *operator.outputs)):
            given: tuple[str, dict[str, Any]] | None = (options, {}) if options else None
            rewrite.replace(operator, kind, operator.inputs, options=given)
            count += 1
    if not count:
        return graph, None
    return rewrite.graph(), f"{counted(count, 'StableHLO operator')} made builtin"
