"""Heads: tensors that the caller reads and that join parts of different range, as detectors do.

Boxes in pixels beside scores of 0 to 1 in one int8 tensor leave the scores a code or two. Each part
has a scale of its own where the joining is left in float, or where the parts are given out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.model import Graph, Operator

# Operators that put tensors side by side under one scale.
JOINING = ("CONCATENATION", "PACK")

# Operators between them, and between them and what the caller reads.
_MOVING = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE")

# A part with fewer of the 256 codes has lost more than four bits to what it shares a scale with.
FEWEST_CODES = 16

Interval = tuple[float, float]


def head_operators(graph: Graph) -> set[int]:
    """Indices of the operators that join what the caller reads, with those that only move it."""
    found: set[int] = set()
    for output in graph.outputs:
        members = _behind(graph, output)
        if any(graph.operators[index].kind in JOINING for index in members):
            found |= members
    return found


def narrow_heads(graph: Graph, extremes: Mapping[int, Interval]) -> bool:
    """Whether some part of a head would have fewer than 16 of 256 codes under a joint scale.

    Args:
        graph: The float network.
        extremes: Smallest and largest value by tensor index.
    """
    inside = head_operators(graph)
    for output in graph.outputs:
        members = _behind(graph, output) & inside
        made = {i for index in members for i in graph.operators[index].outputs}
        parts = {
            i for index in members for i in graph.operators[index].inputs if i in extremes
        } - made
        low, high = extremes.get(output, (0.0, 0.0))
        width = max(high, 0.0) - min(low, 0.0)
        spans = [extremes[part][1] - extremes[part][0] for part in sorted(parts)]
        if any(0 < span * 255 < FEWEST_CODES * width for span in spans):
            return True
    return False


def split_heads(graph: Graph) -> tuple[Graph, str | None]:
    """The network that gives out the parts of what it concatenates last, and what was done."""
    parts = {
        output: [int(i) for i in producer.inputs]
        for output in graph.outputs
        if (producer := _splittable(graph, output)) is not None
    }
    if not parts:
        return graph, None
    made = copy.deepcopy(graph.model)
    outputs = [part for output in graph.outputs for part in parts.get(output, [output])]
    made.subgraphs[0].outputs = np.array(outputs, np.int32)
    for definition in made.signatureDefs or []:
        entries = []
        for entry in definition.outputs or []:
            index = int(entry.tensorIndex)
            for number, part in enumerate(parts.get(index, [index])):
                named = copy.copy(entry)
                suffix = f"_{number}".encode() if index in parts else b""
                named.name, named.tensorIndex = (entry.name or b"") + suffix, part
                entries.append(named)
        definition.outputs = entries
    names = ", ".join(f"'{graph.tensors[output].name}'" for output in parts)
    result = without_dead_ends(Graph(made, graph.origin))
    return result, f"output {names} split into the {sum(map(len, parts.values()))} parts it joins"


def _splittable(graph: Graph, output: int) -> Operator | None:
    """The concatenation that an output comes from, if its parts can be given out instead."""
    producer = graph.producer(output)
    if producer is None or producer.kind != "CONCATENATION" or graph.consumers(output):
        return None
    inputs = [int(i) for i in producer.inputs]
    taken = set(graph.outputs) | set(graph.inputs)
    is_plain = len(set(inputs)) == len(inputs) > 1 and taken.isdisjoint(inputs)
    is_computed = all(graph.producer(i) is not None for i in inputs)
    return producer if is_plain and is_computed else None


def _behind(graph: Graph, output: int) -> set[int]:
    """Joining and moving operators that lead to an output and to nothing else."""
    found: set[int] = set()
    waiting = [output]
    while waiting:
        tensor = waiting.pop()
        writer = graph.producer(tensor)
        if writer is None or writer.kind not in (*JOINING, *_MOVING):
            continue
        if tensor != output and (
            tensor in graph.outputs or any(o.index not in found for o in graph.consumers(tensor))
        ):
            continue
        if graph.tensors[tensor].is_float and getattr(
            writer.options, "fusedActivationFunction", 0
        ) in (0, None):
            found.add(writer.index)
            waiting += [i for i in writer.inputs if i >= 0 and graph.tensors[i].is_float]
    joined = [i for i in found if graph.operators[i].kind in JOINING]
    return found if joined else set()
