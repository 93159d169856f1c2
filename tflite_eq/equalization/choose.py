"""The factors that a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from tflite_eq.config import Config, Equalization
from tflite_eq.equalization.balance import Precision, balancing_factors
from tflite_eq.equalization.cross_layer import cross_layer_factors
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups
from tflite_eq.numerics.windows import ActivationMode
from tflite_eq.precision import grid_for, input_bits, wants_int7
from tflite_eq.statistics.channels import ChannelStatistics


def scalable_tensors(graph: Graph, skipped: Set[int], config: Config) -> set[int]:
    """Tensors whose channels ``equalizing_factors`` has to know.

    Args:
        graph: The float network; every layer has a bias.
        skipped: Indices of operators that stay in float.
        config: Options.
    """
    return {tensor for domain in _domains(graph, skipped, config) for tensor in domain.tensors}


def equalizing_factors(
    graph: Graph,
    skipped: Set[int],
    channels: Mapping[int, ChannelStatistics],
    config: Config,
) -> list[ChannelFactors]:
    """Factors for all channels that can be scaled and gain from it.

    Args:
        graph: The float network; every layer has a bias.
        skipped: Indices of operators that stay in float.
        channels: What the calibration samples show of ``scalable_tensors``, by tensor index.
        config: Options.
    """
    domains = _domains(graph, skipped, config)
    if config.equalization_used is Equalization.CROSS_LAYER:
        return cross_layer_factors(graph, domains, channels)
    return _balanced(graph, domains, skipped, channels, config) if domains else []


def _domains(graph: Graph, skipped: Set[int], config: Config) -> list[Domain]:
    if config.equalization_used is Equalization.NONE:
        return []
    found = find_domains(graph, skipped)
    is_cross_layer = config.equalization_used is Equalization.CROSS_LAYER
    return [domain for domain in found if is_cross_layer or not domain.is_clipped]


def _balanced(
    graph: Graph,
    domains: Sequence[Domain],
    skipped: Set[int],
    statistics: Mapping[int, ChannelStatistics],
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
