"""Which inputs of a 7-bit network keep 8 bits, for what they do to its outputs and what they cost.

Most of what 7 bits add comes from a few tensors, as a rule the first ones: what is lost there goes
through all layers. The layers that read them often have a small share of the multiplications, so
that 8 bits there take away much of the noise for little of the speed. Each tensor is rounded to 7
bits by itself, all else in float, and the operators behind it are run again. Rounding errors of
different tensors are close to independent, so their energies in the outputs add up; with 8 bits,
half the step, a tensor has a quarter of its own. Tensors are taken by noise per multiplication.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set

import numpy as np

from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.config import Bits, Config, Method
from tflite_eq.data.dataset import Sample
from tflite_eq.data.store import ActivationStore
from tflite_eq.data.stored_samples import StoredSamples, spread_positions
from tflite_eq.equalization.choose import equalizing_factors, scalable_tensors
from tflite_eq.equalization.factors import with_factors
from tflite_eq.execution.altered_network import AlteredNetwork, Array
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.graph.outputs import computed_logits
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.precision import wants_int7
from tflite_eq.progress import track
from tflite_eq.report.details import multiplications
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.simulation.weight_scales import WeightScales
from tflite_eq.statistics.channels import observe_channels
from tflite_eq.text import counted

# Samples that tensors are judged on; each is run once per tensor.
_SAMPLES = 8

# Tensors with less of the noise of all keep 7 bits, however little 8 would cost.
_LEAST_NOISE = 0.02

# By how much sums of shares may be off.
_ROUNDING = 1e-9


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


@dataclasses.dataclass(frozen=True)
class KeptInt8:
    """A choice.

    Attributes:
        config: The options with the layers named in ``keep_int8``.
        sentence: What was kept and what for; empty if nothing was.
    """

    config: Config
    sentence: str = ""


def with_kept_int8(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
) -> KeptInt8:
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
        return KeptInt8(config)
    inputs = narrow_inputs(graph, skipped, samples, config)
    chosen = choose(inputs, config.keep_int8_share)
    names = [graph.tensors[index].name for o in graph.operators for index in o.outputs]
    layers = [name for entry in chosen for name in entry.layers]
    pattern = matching(layers, names, config.keep_int8)
    decided = dataclasses.replace(config, keep_int8=pattern, keep_int8_share=0.0)
    if not chosen:
        return KeptInt8(decided)
    noise = sum(entry.noise for entry in chosen) / sum(entry.noise for entry in inputs)
    work = sum(entry.work for entry in chosen)
    listed = ", ".join(f"'{name.split(';')[0]}'" for name in layers)
    return KeptInt8(
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
    least = _LEAST_NOISE * sum(entry.noise for entry in inputs)
    worth = [entry for entry in inputs if entry.noise > 0 and entry.noise >= least]
    chosen, spent = set(), 0.0
    for entry in sorted(worth, key=lambda e: e.noise / max(e.work, 1e-12), reverse=True):
        if spent + entry.work <= share + _ROUNDING:
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
    judged = [samples[number] for number in spread_positions(samples.count, _SAMPLES)]
    scalable = sorted(scalable_tensors(graph, skipped, config))
    if scalable:  # what scaled channels make up for needs no 8 bits
        channels = observe_channels(graph, scalable, judged, config.seed).channels
        graph = with_factors(graph, equalizing_factors(graph, skipped, channels, config))
    network = Network.of(graph, skipped)
    layers = network.layers
    groups = {id(g): g for g in network.groups.values() if wants_int7(g, config)}.values()
    targets = computed_logits(graph)
    if not groups or not targets:
        return []
    params = _params(network, judged, config)
    noises = _noises(graph, list(groups), params, judged, targets)
    work = {index: multiplications(graph, layer) for index, layer in layers.items()}
    total = max(sum(work[index] for index in layers.keys() - skipped), 1)
    return [
        NarrowInput(
            tuple(reader.name for reader in group.readers),
            noise,
            sum(work[reader.operator.index] for reader in group.readers) / total,
        )
        for group, noise in zip(groups, noises)
    ]


def _params(network: Network, samples: Sequence[Sample], config: Config) -> dict[int, AffineParams]:
    """Scales of all tensors, by tensor index: those that clip as the values themselves want it."""
    config = dataclasses.replace(config, method=Method.MSE)
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        observers = observe_ranges(network.graph, samples, twins, config.seed, followed=())
        task = LockstepPass(network, observers, twins, config)
        scales = ActivationScales(task, WeightScales(task))
        scales.settle_rest()
        return dict(twins.params)


def _noises(
    graph: Graph,
    groups: Sequence[ScaleGroup],
    params: Mapping[int, AffineParams],
    samples: Sequence[Sample],
    targets: Sequence[int],
) -> list[float]:
    """Noise to signal ratio of the targets, summed over these, with one group rounded alone."""
    network = AlteredNetwork(graph)
    errors = np.zeros((len(groups), len(targets)))
    count, total, squares = (np.zeros(len(targets)) for _ in range(3))
    for sample in track(samples, "Looking for inputs that need 8 bits"):
        values = network.run(sample)
        exact = [values[index].astype(np.float64) for index in targets]
        count += [x.size for x in exact]
        total += [x.sum() for x in exact]
        squares += [np.square(x).sum() for x in exact]
        for group, added in zip(groups, errors):
            scale = params[group.tensors[0]]

            def rounded(
                tensor: int,
                value: Array,
                own: Set[int] = frozenset(group.tensors),
                scale: AffineParams = scale,
            ) -> Array:
                return fake_quantize(value, scale) if tensor in own else value

            changed = {
                index: rounded(index, values[index]) for index in group.tensors if index in values
            }
            found = network.run_with(values, changed, targets, rounded)
            added += [np.square(x - y).sum() for x, y in zip(found, exact)]
    signal = squares - total**2 / np.maximum(count, 1)
    return [float((added / np.maximum(signal, 1e-300)).sum()) for added in errors]
