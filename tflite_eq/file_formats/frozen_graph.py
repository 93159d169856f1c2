"""The outline of a frozen TensorFlow graph, a ``GraphDef`` in a file of its own."""

from __future__ import annotations

import dataclasses
import re

from tflite_eq.file_formats import wire

# Fields of tensorflow.GraphDef and tensorflow.NodeDef.
_NODE = 1
_NAME, _OP, _INPUT = 1, 2, 3

_OP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_>.]*")
_NO_RESULTS = frozenset({"Assert", "Const", "NoOp", "Placeholder"})


@dataclasses.dataclass(frozen=True)
class FrozenGraph:
    """What the converter has to be told about a frozen graph.

    Attributes:
        inputs: Names of its placeholders.
        outputs: Names of the nodes that no other node reads.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def outline(data: bytes) -> FrozenGraph | None:
    """The ends of a frozen graph; ``None`` if the bytes are none."""
    operators: dict[str, str] = {}
    read: set[str] = set()
    try:
        for number, value in wire.fields(data):
            if number != _NODE:
                continue
            name, op, inputs = _node(wire.part(value))
            if not name or not _OP_NAME.fullmatch(op):
                return None
            operators[name] = op
            read.update(one.lstrip("^").split(":")[0] for one in inputs)
    except wire.WireError:
        return None
    if not operators:
        return None
    return FrozenGraph(
        tuple(name for name, op in operators.items() if op.startswith("Placeholder")),
        tuple(n for n, op in operators.items() if n not in read and op not in _NO_RESULTS),
    )


def _node(message: memoryview) -> tuple[str, str, list[str]]:
    name, op = "", ""
    inputs = []
    for number, value in wire.fields(message):
        if number == _NAME:
            name = wire.text(value)
        elif number == _OP:
            op = wire.text(value)
        elif number == _INPUT:
            inputs.append(wire.text(value))
    return name, op, inputs
