"""The factors that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from tflite_eq.config import Config, Equalization
from tflite_eq.data.dataset import Sample
from tflite_eq.equalization.balance import Precision, balancing_factors
from tflite_eq.equalization.cross_layer import cross_layer_factors
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups
from tflite_eq.numerics.windows import ActivationMode
from tflite_eq.precision import grid_for, input_bits, wants_int7
from tflite_eq.statistics.channels import (
    ChannelStatistics,
    Observed,
    observe_channels,
)


def equalizing_factors(
    graph: Graph,
    skipped: Set[int],
    samples: Iterable[Sample],
    config: Config,
    look: Callable[[Observed], None] | None = None,
) -> list[ChannelFactors]:
    """Factors for all channels that can be scaled and gain from it.

    Args:
        graph: The float network; every layer has a bias.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples; iterated once, or not at all if nothing can be scaled.
        config: Options.
        look: Is given what the samples show of the network as it is, if they are looked at.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run.
    """
    domains = find_domains(graph, skipped)
    is_cross_layer = config.equalization_used is Equalization.CROSS_LAYER
    if not is_cross_layer:
        domains = [domain for domain in domains if not domain.is_clipped]
    if not domains:
        return []
    tensors = sorted({tensor for domain in domains for tensor in domain.tensors})
    observed = observe_channels(graph, tensors, samples, config.seed)
    if look is not None:
        look(observed)
    if is_cross_layer:
        return cross_layer_factors(graph, domains, observed.channels)
    return _balanced(graph, domains, skipped, observed.channels, config)


def _balanced(
    graph: Graph,
    domains: Sequence[Domain],
    skipped: Set[int],
    statistics: dict[int, ChannelStatistics],
    config: Config,
) -> list[ChannelFactors]:
    layers = linear_layers(graph)
    groups = scale_groups(graph, layers, skipped)
    precision = precision_for(layers, groups, config)
    found = (balancing_factors(graph, domain, statistics, groups, precision) for domain in domains)
    return [factors for factors in found if factors is not None]


def precision_for(
    layers: Mapping[int, LinearLayer], groups: Mapping[int, ScaleGroup], config: Config
) -> Precision:
    """How finely a configuration quantizes a network.

    Args:
        layers: Linear layers by operator index.
        groups: Scale groups by tensor index.
        config: Options.
    """
    is_symmetric = config.activation_mode is ActivationMode.SYMMETRIC

    def activation_steps(group: ScaleGroup) -> int:
        codes = 1 << input_bits(wants_int7(group, config), config)
        return codes - 2 if is_symmetric else codes - 1

    def weight_limit(index: int) -> int:
        return grid_for(layers[index], groups[layers[index].input], config).limit

    return Precision(activation_steps, weight_limit, is_symmetric)
