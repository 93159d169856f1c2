"""Which layers write their channels twice, for what their rounding does and what that costs.

The first layers of a network have the most noise and few multiplications. Split in two, the
channels of a tensor have a quarter of their noise (``graph.channel_splitting``). Layers are taken
by noise per multiplication that is added; what is added depends on those taken before, for a layer
that reads copies and writes copies has four times its multiplications.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Mapping, Set

import numpy as np

from tflite_eq.allocation.activation_noise import RoundedAlone
from tflite_eq.allocation.proposal import LEAST_NOISE, ROUNDING, Proposal
from tflite_eq.config import Config
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph import properties
from tflite_eq.graph.channel_copies import Copies
from tflite_eq.graph.channel_splitting import (
    CannotSplitError,
    copies_behind,
    is_splittable,
    split,
    work_with,
)
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.text import counted


def with_split_layers(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
) -> Proposal:
    """The options with ``split_channels_share`` turned into names of layers.

    Args:
        graph: The float network without copies.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples; some of them are looked at.
        config: Options.

    Raises:
        DatasetError: The samples do not fit the model.
        ModelError: The network cannot be run.
    """
    share = config.split_channels_share
    decided = dataclasses.replace(config, split_channels_share=0.0)
    if not share:
        return Proposal(decided)
    layers = linear_layers(graph)
    named = {
        index
        for index in layers
        if config.split_channels is not None
        and is_splittable(graph, graph.operators[index])
        and re.search(config.split_channels, layers[index].name)
    }
    noise = _noise(graph, skipped, samples, config, _affordable(graph, layers, skipped, share))
    chosen = choose(graph, layers, noise, share, named)
    if not chosen:
        return Proposal(decided)
    names = [graph.tensors[index].name for o in graph.operators for index in o.outputs]
    pattern = matching([layers[i].name for i in chosen], names, config.split_channels)
    copies = copies_behind(graph, chosen | named)
    before = copies_behind(graph, named)
    work = [work_with(graph, layers, c) for c in ({}, before, copies)]
    sizes = [_bytes(split(graph, c)) for c in (before, copies)]
    listed = ", ".join(f"'{layers[i].name.split(';')[0]}'" for i in sorted(chosen))
    return Proposal(
        dataclasses.replace(decided, split_channels=pattern),
        f"channels of {counted(len(chosen), 'layer')} are written twice, half a step apart, for "
        f"{100 * (work[2] - work[1]) / work[0]:.1f} % more multiplications and "
        f"{(sizes[1] - sizes[0]) / 1024:.1f} KiB more weights: {listed}",
    )


def choose(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    noise: Mapping[int, float],
    share: float,
    named: Set[int] = frozenset(),
) -> set[int]:
    """The layers to split, given the share of the multiplications that may be added.

    Args:
        graph: The float network without copies.
        layers: Its linear layers by operator index.
        noise: What splitting a layer can take away, in any unit, by operator index.
        share: Of all multiplications.
        named: Layers that are split anyway, on top of the share.

    Returns:
        Operator indices, without ``named``.
    """
    least = LEAST_NOISE * sum(noise.values())
    left = [i for i in sorted(noise) if noise[i] > 0 and noise[i] >= least and i not in named]
    chosen: set[int] = set()
    total = max(work_with(graph, layers, {}), 1)
    start = spent = work_with(graph, layers, copies_behind(graph, named))
    while True:
        costs = {
            i: work_with(graph, layers, copies_behind(graph, {*named, *chosen, i})) for i in left
        }
        possible = [i for i in left if costs[i] - start <= (share + ROUNDING) * total]
        if not possible:
            return chosen
        best = max(possible, key=lambda i: noise[i] / max(costs[i] - spent, 1))
        chosen.add(best)
        left.remove(best)
        spent = costs[best]


def _affordable(
    graph: Graph, layers: Mapping[int, LinearLayer], skipped: Set[int], share: float
) -> dict[int, Copies]:
    """Copies for each layer that can be split by itself within the share, by operator index.

    Names tell layers, so that those of one name are left alone.
    """
    total = work_with(graph, layers, {})
    names = collections.Counter(layer.name for layer in layers.values())
    found: dict[int, Copies] = {}
    for index, layer in layers.items():
        is_told = names[layer.name] == 1 and layer.name
        if index in skipped or not is_told or not is_splittable(graph, layer.operator):
            continue
        try:
            copies = copies_behind(graph, {index})
        except CannotSplitError:
            continue
        if work_with(graph, layers, copies) <= (1 + share + ROUNDING) * total:
            found[index] = copies
    return found


def _noise(
    graph: Graph,
    skipped: Set[int],
    samples: StoredSamples,
    config: Config,
    able: Mapping[int, Copies],
) -> dict[int, float]:
    """Noise of what is written twice if the channels of a layer are split, by operator index."""
    alone = RoundedAlone(graph, skipped, samples, config)
    units = {
        index: [i for i in copies if _is_shifted(graph, i, skipped)]
        for index, copies in able.items()
    }
    found = alone.noise([set(unit) for unit in units.values()], "Looking for channels to split")
    return dict(zip(units, found))


def _is_shifted(graph: Graph, tensor: int, skipped: Set[int]) -> bool:
    """Whether a quantized layer writes the tensor, so that its bias can shift copies."""
    writer = graph.producer(tensor)
    return (
        writer is not None
        and writer.index not in skipped
        and properties.linear_kind(writer) is not None
    )


def _bytes(graph: Graph) -> int:
    """Of filters in int8 and biases in int32."""
    layers = linear_layers(graph).values()
    return sum(int(np.size(x.filters)) + 4 * int(np.size(x.bias_values)) for x in layers)
