"""What the delegate took of a model and why, in its own words."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from tflite_eq.graph.model import Graph

# The library writes one such line per convolution at log_level 2.
_LINE = re.compile(r"^tflite_eq: node (\d+) (claimed|refused) \(.*\): (.*)$", re.MULTILINE)
_WARNING = re.compile(r"^tflite_eq: (option (?:leave|claim): .*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Claim:
    """The delegate's decision on one convolution.

    Attributes:
        operator: Index of the operator in the model.
        name: Name of its output tensor.
        claimed: Whether the delegate runs it.
        reason: Kernel and instruction set and why they were chosen, or why none was.
        saved_multiplications: Multiplications of the runtime's own kernel whose time that saves; an
            estimate, 0 in claims read off the log, which does not tell. No part of the decision:
            claims that differ in it alone are equal.
    """

    operator: int
    name: str
    claimed: bool
    reason: str
    saved_multiplications: float = dataclasses.field(default=0.0, compare=False)


def parse_claims(log: str, graph: Graph) -> list[Claim]:
    """The decisions in what the library wrote to stderr at ``log_level`` 2, in model order.

    Names are the model's: what the log has for them is shortened and in plain ASCII.
    """
    claims = []
    for index, verb, reason in _LINE.findall(log):
        operator = graph.operators[int(index)]
        name = graph.tensors[operator.outputs[0]].name
        claims.append(Claim(operator.index, name, verb == "claimed", reason))
    return claims


def pass_on_warnings(log: str) -> None:
    """Print what the library says of options that have no effect to stderr."""
    for line in _WARNING.findall(log):
        print(f"warning: {line}", file=sys.stderr)


@contextlib.contextmanager
def captured_stderr() -> Iterator[io.StringIO]:
    """Keep what anything, native code included, writes to stderr.

    Yields:
        A buffer that holds it once the block is left.
    """
    text = io.StringIO()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield text
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            text.write(caught.read().decode(errors="replace"))
