"""Cross-layer equalization (arXiv 1906.04721, section 4.1), for weights with one scale per tensor.

With r1_c and r2_c the largest weights that write and read a channel,

    s_c = sqrt(r1_c / r2_c)                                           (eq. 11)

makes both sides equal to sqrt(r1_c r2_c), so that one scale per tensor serves all channels as well
as the product of the ranges allows. Domains that share a layer are repeated until nothing changes.
Where a channel has several writers or readers, the largest weight of all of them counts.

Two things bound the factors, both by what channels reach on the calibration samples. Dividing a
channel by a small s_c makes its activations large, and a scale per tensor has to hold those as
well; so no channel may come to exceed what the largest channel of its domain reaches. (The paper
lets them grow and then moves constant parts into the next bias.) And ReLU6 passes scaling on only
below 6. The paper replaces it with ReLU, which changes the network wherever it did clip. Here it
stays; channels that come near 6 keep s_c = 1, and the others stay below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tflite_eq.equalization.domains import Domain
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.equalization.layers import Double, Filters
from tflite_eq.graph.model import Graph
from tflite_eq.statistics.channels import ChannelStatistics

_RELU6_BOUND = 6.0

# Part of the bound that a channel must stay below: other samples may reach a little further.
_MARGIN = 0.9

# Factors beyond these come from weights next to nothing.
_LARGEST_FACTOR = 2.0**10

_MAX_SWEEPS = 100
_SETTLED = 1e-3


def cross_layer_factors(
    graph: Graph, domains: Sequence[Domain], statistics: Mapping[int, ChannelStatistics]
) -> list[ChannelFactors]:
    """Factors for all domains.

    Args:
        graph: The float network.
        domains: Its domains.
        statistics: What the channels reach over the calibration samples, of every layer's output in
            a domain, by tensor index.
    """
    ports = {p.operator for d in domains for p in (*d.producers, *d.consumers)}
    filters = {index: Filters(graph, index) for index in ports}
    reached = [_reached(graph, domain, statistics) for domain in domains]
    factors = [np.ones(domain.channels) for domain in domains]
    for _ in range(_MAX_SWEEPS):
        change = 0.0
        for i, domain in enumerate(domains):
            step = _step(domain, filters, factors[i], reached[i])
            _apply(domain, filters, step)
            factors[i] = factors[i] * step
            change = max(change, float(np.abs(np.log(step)).max(initial=0.0)))
        if change < _SETTLED:
            break
    return [ChannelFactors.of(d, found) for d, found in zip(domains, factors)]


def _reached(graph: Graph, domain: Domain, statistics: Mapping[int, ChannelStatistics]) -> Double:
    """Largest magnitude of each channel where it is written, [C]."""
    largest = np.zeros(domain.channels)
    for port in domain.producers:
        found = statistics[graph.operators[port.operator].outputs[0]].largest
        own = slice(port.offset, port.offset + len(found))
        largest[own] = np.maximum(largest[own], found)
    return largest


def _step(
    domain: Domain, filters: Mapping[int, Filters], present: Double, reached: Double
) -> Double:
    """What to multiply the domain's factors by."""
    written, read = np.zeros(domain.channels), np.zeros(domain.channels)
    for port in domain.producers:
        largest = filters[port.operator].largest_per_output()
        own = slice(port.offset, port.offset + len(largest))
        written[own] = np.maximum(written[own], largest)
    for port in domain.consumers:
        largest = filters[port.operator].largest_per_input()
        own = slice(port.offset, port.offset + len(largest))
        read[own] = np.maximum(read[own], largest)
    alive = (written > 0) & (read > 0)
    step = np.sqrt(np.where(alive, written, 1.0) / np.where(alive, read, 1.0))
    wanted = np.clip(present * step, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    bound = float(reached.max(initial=0.0))
    if domain.is_clipped:
        bound = _MARGIN * _RELU6_BOUND
        alive &= reached < bound
    if bound > 0:
        wanted = np.maximum(wanted, reached / bound)
    return np.where(alive, wanted / present, 1.0)


def _apply(domain: Domain, filters: Mapping[int, Filters], step: Double) -> None:
    for port in domain.producers:
        written = filters[port.operator]
        own = step[port.offset : port.offset + written.outputs]
        written.values /= written.along_outputs(own)
    for port in domain.consumers:
        read = filters[port.operator]
        read.values *= read.along_inputs(step[port.offset : port.offset + read.inputs])
