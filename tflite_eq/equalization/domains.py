"""Channels that may be scaled together.

Between layers that only functions with f(s x) = s f(x) separate, channel c may be divided by any
s_c > 0 where it is written and multiplied by it where it is read without changing what the network
computes. An addition ties the channels of its operands together, a concatenation puts them side by
side; so a *domain* is a set of tensors, each of which holds a run of the domain's channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import numpy as np

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind

_HOMOGENEOUS_ACTIVATIONS = ("NONE", "RELU", "RELU6")
_PASS_ON = frozenset({"AVERAGE_POOL_2D", "LEAKY_RELU", "MAX_POOL_2D", "RELU"})
_EQUALIZABLE = (LinearKind.CONV, LinearKind.DEPTHWISE, LinearKind.DENSE)


@dataclasses.dataclass(frozen=True)
class DomainLayer:
    """Where a layer touches a domain.

    Attributes:
        operator: Index of the layer's operator.
        offset: The domain's channel that the layer's first one is.
    """

    operator: int
    offset: int


@dataclasses.dataclass(frozen=True)
class Domain:
    """Channels that may be scaled, and everything that scaling them touches.

    Attributes:
        channels: How many there are.
        tensors: Offset of each tensor's first channel in the domain, by tensor index; channels are
            a tensor's last axis.
        producers: Layers whose outputs are in the domain.
        consumers: Layers whose activation inputs are.
        is_clipped: Whether a ReLU6 ends values inside.
    """

    channels: int
    tensors: dict[int, int]
    producers: tuple[DomainLayer, ...]
    consumers: tuple[DomainLayer, ...]
    is_clipped: bool


def find_domains(graph: Graph, skipped: Set[int]) -> list[Domain]:
    """All domains of a network whose layers have biases, in the order they are first written in.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
    """
    found = []
    visited: set[int] = set()
    for operator in graph.operators:
        if properties.linear_kind(operator) is None or operator.outputs[0] in visited:
            continue
        flood = _Flood(graph, skipped)
        is_whole = flood.spread(operator.outputs[0])
        visited.update(flood.offsets)
        if is_whole and flood.producers and flood.consumers:
            found.append(flood.domain())
    return found


class _Flood:
    """Follows channels from one tensor to wherever they lead."""

    def __init__(self, graph: Graph, skipped: Set[int]) -> None:
        self._graph = graph
        self._skipped = skipped
        self._is_clipped = False
        self.offsets: dict[int, int] = {}
        self.producers: dict[int, int] = {}
        self.consumers: dict[int, int] = {}

    def spread(self, tensor: int) -> bool:
        """Visit all that is connected; whether nothing was met that scaling cannot pass."""
        waiting = [(tensor, 0)]
        is_whole = True
        while waiting:
            tensor, offset = waiting.pop()
            if tensor in self.offsets:
                is_whole &= self.offsets[tensor] == offset
                continue
            self.offsets[tensor] = offset
            is_whole &= tensor not in self._graph.inputs and tensor not in self._graph.outputs
            is_whole &= not self._graph.tensors[tensor].is_constant
            producer = self._graph.producer(tensor)
            for operator in (*([producer] if producer else []), *self._graph.consumers(tensor)):
                neighbours = self._neighbours(operator, tensor, offset)
                if neighbours is None:
                    is_whole = False
                else:
                    waiting += neighbours
        return is_whole

    def domain(self) -> Domain:
        """What was visited, with offsets counted from the first channel."""
        first = min(self.offsets.values())
        end = max(o + self._graph.tensors[t].shape[-1] for t, o in self.offsets.items())
        return Domain(
            int(end - first),
            {tensor: offset - first for tensor, offset in sorted(self.offsets.items())},
            tuple(DomainLayer(i, offset - first) for i, offset in sorted(self.producers.items())),
            tuple(DomainLayer(i, offset - first) for i, offset in sorted(self.consumers.items())),
            self._is_clipped,
        )

    def _neighbours(
        self, operator: Operator, tensor: int, offset: int
    ) -> list[tuple[int, int]] | None:
        """Where the channels go on through an operator; None if it does not let scaling pass."""
        graph = self._graph
        if operator.index in self._skipped:
            return None
        if properties.linear_kind(operator) is not None:
            return self._at_layer(operator, tensor, offset)
        self._is_clipped |= properties.fused_activation(operator) == "RELU6"
        if operator.kind == "ADD" and _adds_alike(graph, operator):
            return [(other, offset) for other in (*operator.inputs, *operator.outputs)]
        if operator.kind == "CONCATENATION" and _joins_channels(graph, operator):
            return self._at_concatenation(operator, tensor, offset)
        if _passes_on(graph, operator):
            return [(operator.inputs[0], offset), (operator.outputs[0], offset)]
        return None

    def _at_layer(
        self, operator: Operator, tensor: int, offset: int
    ) -> list[tuple[int, int]] | None:
        if not _is_equalizable(self._graph, operator):
            return None
        if tensor in operator.outputs:
            activation = properties.fused_activation(operator)
            self._is_clipped |= activation == "RELU6"
            self.producers[operator.index] = offset
            return [] if activation in _HOMOGENEOUS_ACTIVATIONS else None
        self.consumers[operator.index] = offset
        reads = properties.linear_inputs(operator)[0] == tensor
        return [] if reads and _reads_channels(self._graph, operator, tensor) else None

    def _at_concatenation(
        self, operator: Operator, tensor: int, offset: int
    ) -> list[tuple[int, int]] | None:
        if operator.inputs.count(tensor) > 1:
            return None
        widths = [int(self._graph.tensors[i].shape[-1]) for i in operator.inputs]
        starts = dict(zip(operator.inputs, np.cumsum([0, *widths]).tolist()))
        first = offset - starts[tensor] if tensor in starts else offset
        return [
            (operator.outputs[0], first),
            *((other, first + start) for other, start in starts.items()),
        ]


def _is_equalizable(graph: Graph, operator: Operator) -> bool:
    """Whether the layer's weights can be scaled without touching another layer's."""
    if properties.linear_kind(operator) not in _EQUALIZABLE:
        return False
    if not properties.has_constant_filter(graph, operator):
        return False
    _, filters, bias = properties.linear_inputs(operator)
    if len(graph.consumers(filters)) > 1 or not graph.tensors[bias].is_constant:
        return False
    # Converters store one bias of zeros for all layers without one; scaling leaves it as it is.
    return len(graph.consumers(bias)) == 1 or not graph.constant(bias).any()


def _adds_alike(graph: Graph, operator: Operator) -> bool:
    """Whether both operands are computed, and neither is broadcast."""
    shapes = {tuple(graph.tensors[i].shape) for i in (*operator.inputs, *operator.outputs)}
    return len(shapes) == 1 and properties.fused_activation(operator) in _HOMOGENEOUS_ACTIVATIONS


def _joins_channels(graph: Graph, operator: Operator) -> bool:
    rank = len(graph.tensors[operator.outputs[0]].shape)
    is_last = operator.options.axis % rank == rank - 1
    return is_last and properties.fused_activation(operator) in _HOMOGENEOUS_ACTIVATIONS


def _passes_on(graph: Graph, operator: Operator) -> bool:
    """Whether scaling an input channel scales the same channel of the output."""
    if operator.kind in _PASS_ON:
        return properties.fused_activation(operator) in _HOMOGENEOUS_ACTIVATIONS
    if operator.kind in ("PAD", "MEAN"):
        constant = operator.inputs[1]
        rank = len(graph.tensors[operator.inputs[0]].shape)
        if not graph.tensors[constant].is_constant or rank != 4:
            return False
        values = graph.constant(constant)
        if operator.kind == "PAD":
            return bool((values.reshape(-1, 2)[-1] == 0).all())
        return bool(np.isin(values % rank, (1, 2)).all())
    return False


def _reads_channels(graph: Graph, consumer: Operator, tensor: int) -> bool:
    """Whether the channels are what the consumer's filters are indexed by."""
    channels = graph.tensors[tensor].shape[-1]
    _, filters, _ = properties.linear_inputs(consumer)
    shape = graph.tensors[filters].shape
    if properties.linear_kind(consumer) is LinearKind.DEPTHWISE:
        return bool(shape[3] % channels == 0)
    return bool(shape[-1] == channels)
