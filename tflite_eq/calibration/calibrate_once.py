"""One calibration of a network with one set of options, from the samples to a record."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Sequence

from tflite_eq.alternatives.choice import Candidate
from tflite_eq.alternatives.judges import Judges
from tflite_eq.alternatives.trained_biases import with_trained_biases
from tflite_eq.calibration.float_pass import forget, observe_ranges, observed
from tflite_eq.calibration.followed_samples import followed_by
from tflite_eq.calibration.outlier_samples import HeardSamples
from tflite_eq.checkpoint.checkpoint import Checkpoint, SavedEqualization
from tflite_eq.config import BiasCorrection, Config, Method
from tflite_eq.data.dataset import Sample
from tflite_eq.data.store import ActivationStore
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.equalization.choose import equalizing_factors
from tflite_eq.equalization.factors import ChannelFactors, tensor_factors, with_factors
from tflite_eq.fine_tuning.differentiable import distilled_tensors
from tflite_eq.fine_tuning.fine_tune import fine_tuned
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.record.calibration import Calibration
from tflite_eq.search.trace import PassTrace
from tflite_eq.simulation.algorithm1 import up_to_last_half
from tflite_eq.simulation.lockstep import corrected_on, run_lockstep
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.statistics.channels import Observed
from tflite_eq.version import __version__

# Values of channels that are kept for another calibration, which is rare. Of more it looks again.
_MOST_CHANNEL_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class CalibrationTask:
    """What is calibrated.

    Attributes:
        graph: The float network as it was given.
        skipped: Indices of operators that stay in float.
        sha256: Hash of the float model.
        heard: The calibration samples, and what those count that are unlike the others.
        followed: Numbers of those that both networks are followed through.
        warnings: What is known to be doubtful about them.
        judges: What takes the float network's outputs for the samples that judge, and says which
            samples may be learned from.
    """

    graph: Graph
    skipped: set[int]
    sha256: str
    heard: HeardSamples
    followed: Sequence[int]
    warnings: list[str]
    judges: Judges

    @property
    def samples(self) -> StoredSamples:
        """The calibration samples."""
        return self.heard.samples


def calibrated(
    task: CalibrationTask, config: Config, trace: PassTrace, checkpoint: Checkpoint | None
) -> Candidate:
    """Find all scales and bias corrections.

    Args:
        task: What is calibrated.
        config: Options.
        trace: Receives what the pass sees on its way.
        checkpoint: What an interrupted run has found, and where this one's findings go.
    """
    samples, skipped = task.samples, task.skipped
    seen = observed(task.graph, skipped, samples, config, task.heard.shares.keys())
    trace.extremes.update(seen.extremes)
    equalization = _equalization(task, seen, config, checkpoint)
    graph = with_factors(task.graph, equalization)
    followed = followed_by(config, task.followed)
    known = seen.scaled(tensor_factors(task.graph, skipped, equalization))
    if sum(channels.nbytes for channels in seen.channels.values()) > _MOST_CHANNEL_BYTES:
        forget(task.graph, samples, config, task.heard.shares.keys())
    network = Network.of(graph, skipped)
    with contextlib.closing(ActivationStore()) as store:
        twins = TwinActivations(store, samples=0)
        twins.shifts = network.shifts
        observers = observe_ranges(graph, samples, twins, config.seed, followed, known)
        twins.shares = task.heard.shares_of(followed)
        trace.observers.update(observers)
        judges = task.judges
        fine_tunes = config.bias_correction is BiasCorrection.FINETUNE
        needed = {*graph.inputs, *judges.outputs}
        if fine_tunes:
            needed.update(distilled_tensors(graph))
        last_half = None
        if config.method is Method.EASYQUANT_PAPER:
            last_half = up_to_last_half(network, observers, twins, config)
        whole = LockstepPass(network, observers, twins, config, trace, last_half)
        tensors, records = run_lockstep(whole, checkpoint, needed)
        for position, number in enumerate(followed):
            if judges.wants(number):
                judges.take(number, [twins.float_values(i, position) for i in judges.outputs])
        record = Calibration(
            tool_version=__version__,
            model_sha256=task.sha256,
            data_sha256=samples.digest,
            samples=samples.count,
            config=config,
            tensors=tensors,
            layers=records,
            equalization=equalization,
            warnings=[*task.warnings, *twins.notices],
            preprocessing=samples.preprocessing,
            outliers=task.heard.outliers,
        )
        corrected = record
        tuned = fine_tuned(network, record, twins) if fine_tunes else None
    if tuned is not None:
        record = with_trained_biases(network, record, tuned)

    def inputs_of(position: int) -> Sample:
        return samples[followed[position]]

    def corrected_by(learned: Sequence[int]) -> Calibration:
        layers = corrected_on(
            graph, network.layers, corrected.layers, twins, learned, config, inputs_of
        )
        return dataclasses.replace(corrected, layers=layers)

    corrects = config.bias_correction is not BiasCorrection.NONE
    learned = [fold.learned for fold in judges.folds if fold.learned and corrects]
    parts = functools.cache(lambda: [corrected_by(positions) for positions in learned])
    ends = {i: (o.minimum, o.maximum) for i, o in observers.items() if o.count}
    return Candidate(record, ends, parts if learned else None)


def _equalization(
    task: CalibrationTask, seen: Observed, config: Config, checkpoint: Checkpoint | None
) -> list[ChannelFactors]:
    """What channels are scaled by: as an interrupted run has found it, or anew."""
    if checkpoint and checkpoint.equalization:
        checkpoint.check_equalization(task.graph, task.skipped)
        return checkpoint.equalization.factors
    factors = equalizing_factors(task.graph, task.skipped, seen.channels, config)
    if checkpoint:
        samples = task.samples
        checkpoint.save_equalization(SavedEqualization(samples.count, samples.digest, factors))
    return factors
