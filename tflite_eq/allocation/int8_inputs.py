"""Which inputs of a 7-bit network keep 8 bits, for what they do to its outputs and what they cost.

Most of what 7 bits add comes from a few tensors, as a rule the first ones: what is lost there goes
through all layers. The layers that read them often have a small share of the multiplications, so
that 8 bits there take away much of the noise for little of the speed. With 8 bits, half the step, a
tensor has a quarter of its noise. Tensors are taken by noise per multiplication.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set

from tflite_eq.allocation.activation_noise import RoundedAlone
from tflite_eq.allocation.proposal import LEAST_NOISE, ROUNDING, Proposal
from tflite_eq.config import Bits, Config
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.linear import multiplications
from tflite_eq.graph.model import Graph
from tflite_eq.precision import wants_int7
from tflite_eq.text import counted


@dataclasses.dataclass(frozen=True)
class NarrowInput:
    """Tensors that share a 7-bit scale, and what that scale does and saves.

    Attributes:
        layers: Names of the layers that read them, in execution order.
        noise: What rounding them alone adds to the outputs, as noise to signal ratio.
        work: Share of the network's multiplications that these layers have.
    """

    layers: tuple[str, ...]
    noise: float
    work: float


def with_kept_int8(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
) -> Proposal:
    """The options with ``keep_int8_share`` turned into names of layers.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples.
        config: Options.

    Raises:
        DatasetError: The samples do not fit the model.
        ModelError: The network cannot be run.
    """
    if not config.keep_int8_share or config.bits is Bits.INT8:
        return Proposal(config)
    inputs = narrow_inputs(graph, skipped, samples, config)
    chosen = choose(inputs, config.keep_int8_share)
    names = [graph.tensors[index].name for o in graph.operators for index in o.outputs]
    layers = [name for entry in chosen for name in entry.layers]
    pattern = matching(layers, names, config.keep_int8)
    decided = dataclasses.replace(config, keep_int8=pattern, keep_int8_share=0.0)
    if not chosen:
        return Proposal(decided)
    noise = sum(entry.noise for entry in chosen) / sum(entry.noise for entry in inputs)
    work = sum(entry.work for entry in chosen)
    listed = ", ".join(f"'{name.split(';')[0]}'" for name in layers)
    return Proposal(
        decided,
        f"{counted(len(layers), 'layer')} with {100 * work:.1f} % of the multiplications keep "
        f"8-bit inputs, which cause {100 * noise:.0f} % of the noise of {config.bits.narrow}-bit "
        f"ones: {listed}",
    )


def choose(inputs: Sequence[NarrowInput], share: float) -> list[NarrowInput]:
    """What keeps 8 bits, given the share of the multiplications that may be spent on it.

    Those with most noise per multiplication come first; one that would go beyond the share is left
    out for others that do not.
    """
    least = LEAST_NOISE * sum(entry.noise for entry in inputs)
    worth = [entry for entry in inputs if entry.noise > 0 and entry.noise >= least]
    chosen, spent = set(), 0.0
    for entry in sorted(worth, key=lambda e: e.noise / max(e.work, 1e-12), reverse=True):
        if spent + entry.work <= share + ROUNDING:
            chosen.add(entry)
            spent += entry.work
    return [entry for entry in inputs if entry in chosen]


def narrow_inputs(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
) -> list[NarrowInput]:
    """All that would have 7 bits, in execution order.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples; some of them are looked at.
        config: Options.
    """
    alone = RoundedAlone(graph, skipped, samples, config)
    layers = alone.network.layers
    groups = alone.network.groups
    narrow = list({id(g): g for g in groups.values() if wants_int7(g, config)}.values())
    units = [set(group.tensors) for group in narrow]
    noises = alone.noise(units, "Looking for inputs that need 8 bits")
    work = {index: multiplications(graph, layer) for index, layer in layers.items()}
    total = max(sum(work[index] for index in layers.keys() - skipped), 1)
    return [
        NarrowInput(
            tuple(reader.name for reader in group.readers),
            noise,
            sum(work[reader.operator.index] for reader in group.readers) / total,
        )
        for group, noise in zip(narrow, noises)
    ]
