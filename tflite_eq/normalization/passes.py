"""All passes in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tflite_eq.graph.model import Graph
from tflite_eq.normalization import half_floats, transpose_bias

# A pass gives the network it was given if it finds nothing, else another and what it has changed:
# one clause without a full stop, e.g. "12 float16 constants unpacked".
Pass = Callable[[Graph], "tuple[Graph, str | None]"]

# What is stored in another form first, then what operators stand for, then what can be one.
PASSES: tuple[Pass, ...] = (half_floats.unpacked, transpose_bias.lowered)


@dataclasses.dataclass(frozen=True)
class Normalized:
    """A float network in the form that calibration takes.

    Attributes:
        graph: The network.
        changes: What it differs by from the file, one clause each.
    """

    graph: Graph
    changes: tuple[str, ...]


def normalized(graph: Graph) -> Normalized:
    """Run all passes over a network, which stays as it is.

    The outputs that the result computes are those of the given one up to the rounding of float32.
    """
    changes = []
    for run in PASSES:
        graph, change = run(graph)
        if change is not None:
            changes.append(change)
    return Normalized(graph, tuple(changes))
