"""First look at the calibration data: what the FP32 network makes of every sample."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Set
from typing import Any

from tflite_eq.config import Config
from tflite_eq.data.dataset import Sample
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.data_checks.doubts import values_for_doubts
from tflite_eq.equalization.choose import scalable_tensors
from tflite_eq.graph.model import Graph
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.statistics.channels import Observed, observe_channels
from tflite_eq.statistics.histogram import RangeObserver


def observed(
    graph: Graph,
    skipped: Set[int],
    samples: StoredSamples,
    config: Config,
    loud: Set[int] = frozenset(),
) -> Observed:
    """What the FP32 network shows over all samples, for all that is asked of it before lockstep.

    It runs once: what it has shown stays with the samples.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples.
        config: Options.
        loud: Numbers of samples whose extremes count and whose other values do not.

    Raises:
        DatasetError: The data set does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    tensors = scalable_tensors(graph, skipped, config)
    key = _key(graph, samples, config, loud)
    found: Observed | None = samples.facts.get(key)
    if found is None or not tensors <= found.channels.keys():
        keep = values_for_doubts(graph, samples.count)
        found = observe_channels(graph, sorted(tensors), samples, config.seed, loud=loud, keep=keep)
        samples.facts[key] = found
    return found


def forget(
    graph: Graph, samples: StoredSamples, config: Config, loud: Set[int] = frozenset()
) -> None:
    """Forget what ``observed`` has found: another calibration, which is rare, looks again."""
    samples.facts.pop(_key(graph, samples, config, loud), None)


def _key(graph: Graph, samples: StoredSamples, config: Config, loud: Set[int]) -> Any:
    known = tuple((tensor.name, tensor.shape) for tensor in graph.tensors)
    return "observed", samples.count, config.seed, tuple(sorted(loud)), known


def observe_ranges(
    graph: Graph,
    samples: Iterable[Sample],
    twins: TwinActivations,
    seed: int,
    followed: Container[int] | None = None,
    known: Mapping[int, RangeObserver] | None = None,
) -> Mapping[int, RangeObserver]:
    """Ranges of all tensors, and the twins ready for lockstep.

    Args:
        graph: The float network.
        samples: The calibration samples.
        twins: Receives the inputs of both networks for the samples that are followed; its sample
            count is set.
        seed: Seeds the subsets that enter the histograms.
        followed: Numbers of the samples that both networks will be followed through, default all.
        known: Observers by tensor index, if the network need not run.

    Returns:
        Observers by tensor index, for every float input and computed tensor.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    observers = known or observe_channels(graph, (), samples, seed).observers
    for number, sample in enumerate(samples):
        if followed is None or number in followed:
            for index in graph.inputs:
                twins.put_float(index, twins.samples, sample[index])
                twins.put_quantized(index, twins.samples, sample[index])
            twins.samples += 1
    return observers
