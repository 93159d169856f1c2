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

# The library writes one such line at log_level 2 per operator of a kind that it runs.
_LINE = re.compile(r"^tflite_eq: node (\d+) (\S+) (claimed|refused) \(.*\): (.*)$", re.MULTILINE)
# What the library's profile calls a kernel that the option ``kernel`` does not name.
_FUNCTIONS_OF_CODES = ("lines", "table", "fused")
_FUSED = re.compile(r"one function of codes, with the nodes up to (\d+)")
_KERNEL = re.compile(r"(\w+) on \w+")
# It ends what it says of a graph so; subgraphs of loops and branches follow.
_SUMMARY = re.compile(r"^tflite_eq: claimed \d+ of \d+ nodes.*$", re.MULTILINE)
_WARNING = re.compile(r"^tflite_eq: (option (?:leave|claim): .*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Claim:
    """The delegate's decision on one operator.

    Attributes:
        operator: Index of the operator in the model.
        kind: The operator's name in the schema, ``CONV_2D``.
        name: Name of its output tensor.
        claimed: Whether the delegate runs it.
        reason: What it is run by and why, or why it is not.
        saved_multiplications: Multiplications of the runtime's convolutions whose time that saves,
            below 0 for an operator that is claimed to spare a switch; an estimate, 0 in claims read
            off the log, which does not tell. No part of the decision: claims that differ in it
            alone are equal.
    """

    operator: int
    kind: str
    name: str
    claimed: bool
    reason: str
    saved_multiplications: float = dataclasses.field(default=0.0, compare=False)

    @property
    def kernel(self) -> str:
        """The kernel that the reason names, empty if it names none."""
        named = _KERNEL.match(self.reason) if self.claimed else None
        return named[1] if named else ""

    @property
    def fused_into(self) -> int | None:
        """The operator in whose place this one is run with others, as one; ``None`` if alone."""
        fused = _FUSED.match(self.reason) if self.claimed else None
        return int(fused[1]) if fused else None


def insisting(kernel: str) -> dict[str, str]:
    """Options with which the delegate takes an operator that it might leave if it were alone.

    Args:
        kernel: What it is to be run by, of convolutions; the delegate's choice where it is empty or
            one of those that it has no option for: functions of codes, run by themselves or fused.
    """
    return {"claim": "."} if kernel in ("", *_FUNCTIONS_OF_CODES) else {"kernel": kernel}


def parse_claims(log: str, graph: Graph) -> list[Claim]:
    """The decisions in what the library wrote to stderr at ``log_level`` 2, in model order.

    Names are the model's: what the log has for them is shortened and in plain ASCII. Of a model
    with loops or branches the decisions on their subgraphs, which stay in float, are left out.
    """
    claims = []
    for index, kind, verb, reason in _LINE.findall(_of_main(log)):
        name = output_name(graph, int(index))
        claims.append(Claim(int(index), kind, name, verb == "claimed", reason))
    return claims


def output_name(graph: Graph, operator: int) -> str:
    """Name of the first tensor that an operator, given by its index, writes."""
    outputs = graph.operators[operator].outputs
    return graph.tensors[outputs[0]].name if outputs else ""


def counted(claimed: int, known: int, operators: int, verb: str = "delegated") -> str:
    """How much of a model is claimed, in words.

    Args:
        claimed: Operators that the delegate runs.
        known: Those of kinds that it runs.
        operators: All of the model.
        verb: What is done to the first.
    """
    return f"{claimed} of {operators} operators {verb} (of those that the delegate knows: {known})"


def pass_on_warnings(log: str) -> None:
    """Print what the library says of options that have no effect to stderr."""
    for line in _WARNING.findall(_of_main(log)):
        print(f"warning: {line}", file=sys.stderr)


def _of_main(log: str) -> str:
    """What the library says of the main graph, which comes first."""
    summary = _SUMMARY.search(log)
    return log[: summary.end()] if summary else log


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
