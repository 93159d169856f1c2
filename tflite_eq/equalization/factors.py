"""Scaling channels of a network by given factors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.equalization.domains import Domain, DomainLayer, find_domains
from tflite_eq.equalization.layers import Double, Filters
from tflite_eq.graph import properties
from tflite_eq.graph.edit import independent, replace_constant
from tflite_eq.graph.model import Graph
from tflite_eq.json_fields import known_fields, typed, typed_list


@dataclasses.dataclass(frozen=True)
class ChannelFactors:
    """What the channels of one domain are divided by.

    Attributes:
        producers: Layers whose output channels are divided.
        consumers: Layers whose input channels are multiplied.
        factors: One per channel of the domain, > 0.
    """

    producers: tuple[DomainLayer, ...]
    consumers: tuple[DomainLayer, ...]
    factors: tuple[float, ...]

    @classmethod
    def of(cls, domain: Domain, factors: Double) -> ChannelFactors:
        """Factors for a domain."""
        return cls(domain.producers, domain.consumers, tuple(factors.tolist()))

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> ChannelFactors:
        """The inverse of ``dataclasses.asdict``.

        Raises:
            ValueError: A field is missing, unknown or of another type.
        """
        fields = known_fields(entry, cls)
        return cls(
            _ports(fields["producers"], "producers"),
            _ports(fields["consumers"], "consumers"),
            tuple(typed_list(fields["factors"], float, "factors")),
        )

    def describe(self) -> str:
        """The layers, for messages."""
        written = ", ".join(str(port.operator) for port in self.producers)
        read = ", ".join(str(port.operator) for port in self.consumers)
        return f"what operators {written} write and {read} read"

    def fits(self, domain: Domain) -> bool:
        """Whether the factors belong to this domain."""
        return (self.producers, self.consumers, len(self.factors)) == (
            domain.producers,
            domain.consumers,
            domain.channels,
        )


def _ports(value: Any, field: str) -> tuple[DomainLayer, ...]:
    ports = [known_fields(entry, DomainLayer) for entry in typed_list(value, dict, field)]
    return tuple(
        DomainLayer(typed(p["operator"], int, "operator"), typed(p["offset"], int, "offset"))
        for p in ports
    )


def with_factors(graph: Graph, equalization: Sequence[ChannelFactors]) -> Graph:
    """The network with channels scaled; up to float rounding it computes the same.

    ``graph`` stays as it is. The two share all that was not scaled.
    """
    graph = independent(graph)
    for scaled in equalization:
        factors = np.asarray(scaled.factors)
        for port in scaled.producers:
            filters = Filters(graph, port.operator)
            own = factors[port.offset : port.offset + filters.outputs]
            _, stored, bias = properties.linear_inputs(graph.operators[port.operator])
            _multiply(graph, stored, 1 / filters.along_outputs(own))
            _multiply(graph, bias, 1 / own)
        for port in scaled.consumers:
            filters = Filters(graph, port.operator)
            own = factors[port.offset : port.offset + filters.inputs]
            _, stored, _ = properties.linear_inputs(graph.operators[port.operator])
            _multiply(graph, stored, filters.along_inputs(own))
    return graph


def tensor_factors(
    graph: Graph, skipped: Set[int], equalization: Sequence[ChannelFactors]
) -> dict[int, npt.NDArray[np.float32]]:
    """What scaling divides the channels of activations by, [C], by tensor index.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
        equalization: Factors that fit domains of the network.
    """
    domains = find_domains(graph, skipped) if equalization else []
    found = {}
    for scaled in equalization:
        for domain in filter(scaled.fits, domains):
            for tensor, offset in domain.tensors.items():
                channels = graph.tensors[tensor].shape[-1]
                found[tensor] = np.array(scaled.factors[offset : offset + channels], np.float32)
    return found


def _multiply(graph: Graph, tensor: int, factors: npt.NDArray[np.float64]) -> None:
    values = graph.constant(tensor).astype(np.float64) * factors
    replace_constant(graph, tensor, values.astype(np.float32))
