"""Whether a model has anything that the delegate could run, told by the file alone."""

from __future__ import annotations

import collections
import os
import shlex
from collections.abc import Mapping

from tflite_eq.errors import ModelError
from tflite_eq.graph.model import Graph

_INTEGERS = ("INT8", "UINT8", "INT16")


def known_operators(graph: Graph) -> int:
    """Number of operators of kinds that the delegate runs.

    Raises:
        BackendError: The library that lists them is missing.
    """
    known = _known_kinds()
    return sum(operator.kind in known for operator in graph.operators)


def other_operators(graph: Graph) -> dict[str, int]:
    """How many there are of every kind that is the runtime's alone, most first.

    Raises:
        BackendError: The library that lists them is missing.
    """
    known = _known_kinds()
    counts = collections.Counter(o.kind for o in graph.operators if o.kind not in known)
    return dict(counts.most_common())


def in_words(counts: Mapping[str, int]) -> str:
    """Operators by kind, for people: ``3 SPLIT, 1 SOFTMAX``."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def nothing_to_run(graph: Graph) -> str:
    """Why the delegate has nothing to do in a model without operators that it runs."""
    return (
        f"{graph.origin} has no operator of a kind that the delegate runs: all is left to the "
        f"runtime ({in_words(other_operators(graph))})"
    )


def _known_kinds() -> frozenset[str]:
    # Commands that do not need the compiled library must do without.
    from tflite_eq.delegate.described_model import operators

    return frozenset(operators())


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
    lacking = "" if known_operators(graph) else " (it has no operator that it will run then)"
    return f"quantize it first{lacking}: {told}"


def check_computes_with_codes(graph: Graph) -> None:
    """Refuse a float model, of which nothing can be said about the delegate.

    Raises:
        ModelError: It is one; the message has the command that quantizes it.
    """
    if computes_in_float(graph):
        raise ModelError(
            f"{graph.origin}: computes in float, and the delegate runs int8 operators only; "
            f"{quantize_first(graph)}"
        )
