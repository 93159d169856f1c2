"""One calibration of a network with one set of options, from the samples to a record."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

from tflite_eq.alternatives.choice import Candidate
from tflite_eq.alternatives.judges import Judges
from tflite_eq.calibration.channel_statistics import Observed
from tflite_eq.calibration.checkpoint import Checkpoint, SavedEqualization
from tflite_eq.calibration.record import Calibration
from tflite_eq.calibration.statistics import observe_ranges
from tflite_eq.calibration.stored_samples import StoredSamples
from tflite_eq.config import BiasCorrection, Config, Equalization
from tflite_eq.equalization.choose import equalizing_factors
from tflite_eq.equalization.factors import ChannelFactors, with_factors
from tflite_eq.fine_tuning import fine_tuned
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.simulation.differentiable import distilled_tensors
from tflite_eq.simulation.lockstep import corrected_on, run_lockstep
from tflite_eq.simulation.store import ActivationStore
from tflite_eq.simulation.trace import PassTrace
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.version import __version__


@dataclasses.dataclass(frozen=True)
class Network:
    """What is calibrated.

    Attributes:
        graph: The float network as it was given.
        skipped: Indices of operators that stay in float.
        sha256: Hash of the float model.
        samples: The calibration samples.
        followed: Numbers of those that both networks are followed through.
        warnings: What is known to be doubtful about them.
        judges: What takes the float network's outputs for the samples that judge, and says which
            samples may be learned from.
    """

    graph: Graph
    skipped: set[int]
    sha256: str
    samples: StoredSamples
    followed: Sequence[int]
    warnings: list[str]
    judges: Judges


def calibrated(
    network: Network, config: Config, trace: PassTrace, checkpoint: Checkpoint | None
) -> Candidate:
    """Find all scales and bias corrections.

    Args:
        network: The network.
        config: Options.
        trace: Receives what the pass sees on its way.
        checkpoint: What an interrupted run has found, and where this one's findings go.
    """
    samples, skipped = network.samples, network.skipped
    looks: list[Observed] = []
    equalization = _equalization(network, config, trace, checkpoint, looks.append)
    graph = with_factors(network.graph, equalization)
    # Where nothing was scaled, the network has been run already.
    ranges = looks.pop().observers if looks and not equalization else None
    layers = linear_layers(graph)
    groups = scale_groups(graph, layers, skipped)
    with contextlib.closing(ActivationStore()) as store:
        twins = TwinActivations(store, samples=0)
        observers = observe_ranges(
            graph, samples, twins, config.seed, checkpoint, network.followed, ranges
        )
        trace.take_ranges(observers)
        judges = network.judges
        fine_tunes = config.bias_correction is BiasCorrection.FINETUNE
        needed = {*graph.inputs, *judges.outputs}
        if fine_tunes:
            needed.update(distilled_tensors(graph))
        tensors, records = run_lockstep(
            graph, layers, groups, skipped, observers, twins, config, trace, checkpoint, needed
        )
        for position, number in enumerate(network.followed):
            if judges.wants(number):
                judges.take(number, [twins.float_values(i, position) for i in judges.outputs])
        record = Calibration(
            tool_version=__version__,
            model_sha256=network.sha256,
            data_sha256=samples.digest,
            samples=samples.count,
            config=config,
            tensors=tensors,
            layers=records,
            equalization=equalization,
            warnings=[*network.warnings, *twins.notices],
            preprocessing=samples.preprocessing,
        )
        judged = [record]
        if config.bias_correction is not BiasCorrection.NONE:
            parts = [
                corrected_on(graph, layers, records, twins, fold.learned, config)
                for fold in judges.folds
                if fold.learned
            ]
            judged = [dataclasses.replace(record, layers=part) for part in parts] or judged
        if fine_tunes:
            record = fine_tuned(graph, layers, skipped, record, twins)
            judged = judged if judges.folds and judges.folds[0].learned else [record]
    observed = {i: (o.minimum, o.maximum) for i, o in observers.items() if o.count}
    return Candidate(record, judged, observed)


def _equalization(
    network: Network,
    config: Config,
    trace: PassTrace,
    checkpoint: Checkpoint | None,
    look: Callable[[Observed], None],
) -> list[ChannelFactors]:
    """What channels are scaled by: as an interrupted run has found it, or anew."""
    samples = network.samples
    if checkpoint and checkpoint.equalization:
        checkpoint.check_equalization(network.graph, network.skipped)
        saved = checkpoint.equalization
        trace.extremes.update(saved.extremes)
        return saved.factors
    is_used = config.equalization_used is not Equalization.NONE
    factors = (
        equalizing_factors(network.graph, network.skipped, samples, config, trace, look)
        if is_used
        else []
    )
    if checkpoint:
        checkpoint.save_equalization(
            SavedEqualization(samples.count, samples.digest, factors, dict(trace.extremes))
        )
    return factors
