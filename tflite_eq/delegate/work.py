"""Whether a model has anything that the delegate could run, told by the file alone."""

from __future__ import annotations

import collections
import os
import shlex

from tflite_eq.errors import ModelError
from tflite_eq.graph.model import Graph

_CONVOLUTION = "CONV_2D"
_INTEGERS = ("INT8", "UINT8", "INT16")


def convolutions(graph: Graph) -> int:
    """Number of operators that the delegate looks at."""
    return sum(operator.kind == _CONVOLUTION for operator in graph.operators)


def other_operators(graph: Graph) -> str:
    """What else there is, for people: ``3 FULLY_CONNECTED, 1 SOFTMAX``."""
    others = collections.Counter(o.kind for o in graph.operators if o.kind != _CONVOLUTION)
    return ", ".join(f"{count} {kind}" for kind, count in others.most_common()) or "none"


def nothing_to_run(graph: Graph) -> str:
    """Why the delegate has nothing to do in a model without convolutions."""
    return (
        f"{graph.origin} has no convolution ({_CONVOLUTION}), and the delegate runs nothing else: "
        f"all is left to the runtime ({other_operators(graph)})"
    )


def computes_in_float(graph: Graph) -> bool:
    """Whether no operator computes with codes; weights may be stored as such."""
    return not any(
        graph.tensors[index].type_name in _INTEGERS and not graph.tensors[index].is_constant
        for operator in graph.operators
        for index in (*operator.inputs, *operator.outputs)
        if index >= 0
    )


def quantize_first(graph: Graph) -> str:
    """What makes a model for the delegate of a float one, with the command."""
    stem, _ = os.path.splitext(graph.origin)
    command = "tflite-eq quantize --model {} --calibration DATA --output {}"
    told = command.format(shlex.quote(graph.origin), shlex.quote(f"{stem}_int8.tflite"))
    lacking = (
        "" if convolutions(graph) else f" (it has no {_CONVOLUTION}, so none will be run then)"
    )
    return f"quantize it first{lacking}: {told}"


def check_computes_with_codes(graph: Graph) -> None:
    """Refuse a float model, of which nothing can be said about the delegate.

    Raises:
        ModelError: It is one; the message has the command that quantizes it.
    """
    if computes_in_float(graph):
        raise ModelError(
            f"{graph.origin}: computes in float, and the delegate runs int8 convolutions only; "
            f"{quantize_first(graph)}"
        )
