"""A float network with what quantization looks at in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

from tflite_eq.graph.channel_copies import Float
from tflite_eq.graph.channel_splitting import channel_shifts
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of which some operators stay in float.

    Attributes:
        graph: The float network; every linear layer has a bias.
        layers: Its linear layers by operator index, those that stay in float among them.
        groups: Tensors that share a scale, by the index of each.
        skipped: Indices of operators that stay in float.
        shifts: What values are shifted by before they are rounded, see ``channel_shifts``.
    """

    graph: Graph
    layers: Mapping[int, LinearLayer]
    groups: Mapping[int, ScaleGroup]
    skipped: Set[int]
    shifts: Mapping[int, Float] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, skipped: Set[int]) -> Network:
        """The network with what follows from the graph and the operators that stay in float."""
        layers = linear_layers(graph)
        groups = scale_groups(graph, layers, skipped)
        return cls(graph, layers, groups, skipped, channel_shifts(graph, skipped))
