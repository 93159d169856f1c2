"""What models call their inputs and outputs, and which of one model's are another's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

from tflite_eq.evaluation.executable import shown_shape
from tflite_eq.graph.model import Graph

# What converters put around a name when types change or a graph is exported.
_DECORATION = re.compile(r"^serving_default_|:\d+$|_u?int8$|_u?int8(?=:\d+$)")


@dataclasses.dataclass(frozen=True)
class End:
    """One input or output of a model.

    Attributes:
        name: The signature's name, else the tensor's.
        tensor: Name of the tensor.
        shape: As the file has it, open dimensions as -1.
        type_name: Schema name of the element type.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    type_name: str

    def __str__(self) -> str:
        return f"'{self.name}' ({self.type_name.lower()} {shown_shape(self.shape)})"


@dataclasses.dataclass(frozen=True)
class Correspondence:
    """Which ends of another model belong to those of a first one.

    Attributes:
        order: Position among the other's ends, for every end of the first one.
        by_name: Whether names told; else the order of either did.
    """

    order: tuple[int, ...]
    by_name: bool


def inputs_of(graph: Graph) -> tuple[End, ...]:
    """The inputs in the model's order."""
    return _ends(graph, graph.inputs, lambda definition: definition.inputs)


def outputs_of(graph: Graph) -> tuple[End, ...]:
    """The outputs in the model's order."""
    return _ends(graph, graph.outputs, lambda definition: definition.outputs)


def listed(ends: Sequence[End]) -> str:
    """All of them with type and shape, for messages."""
    return ", ".join(map(str, ends)) or "none"


def correspondence(first: Sequence[End], other: Sequence[End]) -> Correspondence:
    """Match the ends of two models, which have as many.

    By the names of their signatures, else by those of the tensors, else by those without what
    converters add to them; where none of these name all, or not uniquely, by position.
    """
    for name_of in (_signature_name, _tensor_name, _plain_name):
        names = [name_of(end) for end in first]
        others = [name_of(end) for end in other]
        if len(set(names)) == len(names) and sorted(names) == sorted(others):
            return Correspondence(tuple(others.index(name) for name in names), True)
    return Correspondence(tuple(range(len(first))), False)


def with_known_sizes(ends: Sequence[End], others: Sequence[Sequence[End]]) -> tuple[End, ...]:
    """Ends with their open dimensions, the batch apart, as another model has them.

    Args:
        ends: One model's.
        others: Those of other models; the first that says a size is believed.
    """
    found = list(ends)
    for other in others:
        if len(other) != len(ends):
            continue
        for position, counterpart in enumerate(correspondence(ends, other).order):
            known, shape = other[counterpart].shape, found[position].shape
            if len(known) == len(shape):
                sizes = (k if s < 0 < axis else s for axis, (s, k) in enumerate(zip(shape, known)))
                found[position] = dataclasses.replace(found[position], shape=tuple(sizes))
    return tuple(found)


def _signature_name(end: End) -> str:
    return end.name


def _tensor_name(end: End) -> str:
    return end.tensor


def _plain_name(end: End) -> str:
    return _DECORATION.sub("", end.tensor)


def _ends(
    graph: Graph, indices: Sequence[int], entries_of: Callable[[Any], Any]
) -> tuple[End, ...]:
    names: dict[int, str] = {}
    for definition in graph.model.signatureDefs or []:
        found = {int(e.tensorIndex): (e.name or b"").decode() for e in entries_of(definition) or []}
        if set(found) == set(indices):
            names = found
    ends = []
    for index in indices:
        tensor, stored = graph.tensors[index], graph.subgraph.tensors[index]
        signature = stored.shapeSignature
        is_open = signature is not None and len(signature) == len(tensor.shape)
        shape = tuple(int(size) for size in signature) if is_open else tensor.shape
        ends.append(End(names.get(index, tensor.name), tensor.name, shape, tensor.type_name))
    return tuple(ends)
