"""Which channels are written several times, for what their rounding does and what that costs.

The first layers of a network have the most noise and few multiplications, and of their channels a
few have most of it: others are 0, or at the end of a ReLU6, or next to nothing is made of them. Of
``n`` copies of a channel, fractions of a step apart, the noise is that of one by ``n^2``
(``graph.channel_splitting``). Copies are given by noise per multiplication that is added; what is
added depends on those given before, for a layer that reads copies and writes copies has a multiple
of both.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from tflite_eq.allocation.activation_noise import RoundedAlone
from tflite_eq.allocation.proposal import LEAST_NOISE, ROUNDING, Proposal
from tflite_eq.config import Config
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph import properties
from tflite_eq.graph.channel_splitting import (
    CannotSplitError,
    copies_behind,
    is_splittable,
    matched,
    split,
    work_with,
)
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.named_numbers import MOST_COPIES
from tflite_eq.text import counted

Double = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Copies that are added at a time: kernels compute channels in multiples of four.
_QUANTUM = 4

# Layers of more channels are given them faster: what decides is still one in so many.
_WIDE = 256

# One percent of the multiplications has to take away this many percent of what is left of the
# noise of activations.
_LEAST_RATE = 0.3


def with_split_layers(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
) -> Proposal:
    """The options with ``split_channels_share`` turned into counts of copies.

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
    given = dict(config.channel_copies)
    named: dict[int, Sequence[int] | None] = dict.fromkeys(matched(graph, config.split_channels))
    named.update((i, given[x.name]) for i, x in layers.items() if x.name in given)
    able = _able(graph, layers, skipped)
    noise = _noise(graph, skipped, samples, config, [i for i in able if i not in named])
    chosen = choose(graph, layers, noise, share, named)
    if not chosen:
        return Proposal(decided)
    counted_names = {layers[i].name: tuple(counts) for i, counts in chosen.items()}
    before, copies = (copies_behind(graph, starts) for starts in (named, {**named, **chosen}))
    work = [work_with(graph, layers, c) for c in ({}, before, copies)]
    sizes = [_bytes(split(graph, c)) for c in (before, copies)]
    added = sum(count - 1 for counts in chosen.values() for count in counts)
    listed = ", ".join(
        f"{sum(counts) - len(counts)} of '{layers[i].name.split(';')[0]}'"
        for i, counts in chosen.items()
    )
    return Proposal(
        dataclasses.replace(
            decided, channel_copies=(*config.channel_copies, *counted_names.items())
        ),
        f"{counted(len(chosen), 'layer')} write some channels several times, fractions of a step "
        f"apart, {counted(added, 'channel')} more in all, for "
        f"{100 * (work[2] - work[1]) / work[0]:.1f} % more multiplications and "
        f"{(sizes[1] - sizes[0]) / 1024:.1f} KiB more weights: {listed}",
    )


def choose(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    noise: Mapping[int, Sequence[float] | Double],
    share: float,
    named: Mapping[int, Sequence[int] | None] | None = None,
) -> dict[int, list[int]]:
    """Copies of channels, given the share of the multiplications that may be added.

    ``n`` copies of a channel have the noise of one by ``n^2``. Copies are added ``_QUANTUM`` at a
    time, where these take away most noise per multiplication, until what is left to gain is not
    worth its price.

    Args:
        graph: The float network without copies.
        layers: Its linear layers by operator index.
        noise: Of the channels that layers write, in any unit, by operator index.
        share: Of all multiplications.
        named: Layers that are split anyway, on top of the share, and their counts.

    Returns:
        Counts of copies by operator index, without ``named``.
    """
    named = named or {}
    energies = {i: np.asarray(noise[i], np.float64) for i in sorted(noise) if i not in named}
    least = LEAST_NOISE * sum(float(e.sum()) for e in energies.values())
    energies = {i: e for i, e in energies.items() if e.sum() > 0 and e.sum() >= least}
    counts = {i: np.ones(len(e), np.int64) for i, e in energies.items()}

    def work(of: Mapping[int, Ints]) -> int:
        split_ones = {i: c.tolist() for i, c in of.items() if (c > 1).any()}
        return work_with(graph, layers, copies_behind(graph, {**named, **split_ones}))

    total = max(work_with(graph, layers, {}), 1)
    start = spent = work({})
    while True:
        left = sum(float((e / counts[i] ** 2).sum()) for i, e in energies.items())
        best, best_rate, best_spent = None, _LEAST_RATE * left / total, 0
        for i, e in energies.items():
            more = _with_quantum(e, counts[i])
            gain = float((e / counts[i] ** 2 - e / more**2).sum())
            needed = work({**counts, i: more})
            rate = gain / max(needed - spent, 1)
            if rate > best_rate and needed - start <= (share + ROUNDING) * total:
                best, best_rate, best_spent = (i, more), rate, needed
        if best is None:
            return {i: c.tolist() for i, c in counts.items() if (c > 1).any()}
        counts[best[0]], spent = best[1], best_spent


def _with_quantum(energies: Double, counts: Ints) -> Ints:
    """Counts with ``_QUANTUM`` copies more, or as many times that, each where it gains most."""
    more = counts.copy()
    for _ in range(_QUANTUM * (1 + len(counts) // _WIDE)):
        gains = np.where(
            more < MOST_COPIES, energies * (1.0 / more**2 - 1.0 / (more + 1.0) ** 2), -1.0
        )
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        more[best] += 1
    return more


def _able(graph: Graph, layers: Mapping[int, LinearLayer], skipped: Set[int]) -> list[int]:
    """Operator indices of the layers whose channels can be split.

    Names tell layers, so that those of one name are left alone.
    """
    names = collections.Counter(layer.name for layer in layers.values())
    found = []
    for index, layer in layers.items():
        is_told = names[layer.name] == 1 and layer.name
        if index in skipped or not is_told or not is_splittable(graph, layer.operator):
            continue
        try:  # with counts that differ, which not all readers allow
            copies_behind(graph, {index: [2] + [1] * (layer.channels - 1)})
        except CannotSplitError:
            continue
        found.append(index)
    return found


def _noise(
    graph: Graph,
    skipped: Set[int],
    samples: StoredSamples,
    config: Config,
    able: Sequence[int],
) -> dict[int, Double]:
    """Noise of each channel of what is written several times, by operator index.

    Of layers that have less than ``LEAST_NOISE`` of it all nothing is looked at any further.
    """
    alone = RoundedAlone(graph, skipped, samples, config)
    units = {index: unit_of(graph, index, skipped) for index in able}
    whole = alone.noise([set(unit) for unit in units.values()], "Looking for layers to split")
    least = LEAST_NOISE * sum(whole)
    heard = [index for index, noise in zip(units, whole) if noise > 0 and noise >= least]
    found = alone.channel_noise(
        [units[index] for index in heard], config.seed, "Looking for channels to split"
    )
    return dict(zip(heard, found))


def unit_of(graph: Graph, index: int, skipped: Set[int]) -> dict[int, list[int]]:
    """The tensors whose copies a layer's copies end in, and which of its channels theirs are.

    -1 stands for a channel that the layer has no part in, where others are joined to its own.
    """
    channels = np.arange(graph.tensors[graph.operators[index].outputs[0]].shape[-1])

    def counts_behind(counts: Ints) -> dict[int, Ints]:
        behind = copies_behind(graph, {index: counts.tolist()})
        return {t: np.bincount(c.source) for t, c in behind.items()}

    found = {t: n - 2 for t, n in counts_behind(np.full_like(channels, 2)).items()}
    # Digit by digit: one more copy tells a channel whose number has it from one whose has not.
    for digit in range(int(channels[-1]).bit_length()):
        for tensor, counts in counts_behind(1 + (channels >> digit & 1)).items():
            found[tensor] += (counts - 1) << digit
    return {t: n.tolist() for t, n in found.items() if _is_shifted(graph, t, skipped)}


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
