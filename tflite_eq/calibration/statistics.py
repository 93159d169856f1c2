"""First look at the calibration data: the range of every float tensor of the FP32 network."""

from __future__ import annotations

from tflite_eq.calibration.checkpoint import Checkpoint, SavedStatistics
from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.float_network import FloatNetwork
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.simulation.twins import TwinActivations


def observe_ranges(
    graph: Graph,
    reader: SampleReader,
    twins: TwinActivations,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> dict[int, RangeObserver]:
    """Run the FP32 network over all samples.

    Ranges come from the network's own outputs, not from TensorFlow's ``Calibrator``, which
    reports wrong ones for inputs of in-place ADDs (tensorflow issue 127842).

    Args:
        graph: The float network.
        reader: The calibration samples; read once.
        twins: Receives the inputs of both networks; its sample count is set.
        seed: Seeds the subsets that enter the histograms.
        checkpoint: Gives the figures of the samples an interrupted run has seen, which are then
            only read and compared, and takes those of the others.

    Returns:
        Observers by tensor index, for every float input and computed tensor.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
        CheckpointError: The samples are not those of the interrupted run.
    """
    network = FloatNetwork(graph)
    observers = {
        index: RangeObserver(graph.tensors[index].name, seed=seed + index)
        for index in network.float_tensors
    }
    saved = checkpoint.statistics if checkpoint else None
    known = saved.samples if saved else 0
    for sample in track(reader, "Calibrating: FP32 ranges"):
        number = twins.samples
        for index in graph.inputs:
            twins.put_float(index, number, sample[index])
            twins.put_quantized(index, number, sample[index])
        twins.samples += 1
        if number >= known:
            for index, value in network.run(sample, number):
                if index in observers:
                    observers[index].update(value)
            if checkpoint:
                checkpoint.save_statistics(reader.count, reader.digest, observers, False)
        elif number + 1 == known and checkpoint and saved:
            _restore(observers, reader, checkpoint, saved)
    if checkpoint:
        _check_count(reader.count, checkpoint)
        if not (saved and saved.complete):
            checkpoint.save_statistics(reader.count, reader.digest, observers, True)
    return observers


def _restore(
    observers: dict[int, RangeObserver],
    reader: SampleReader,
    checkpoint: Checkpoint,
    saved: SavedStatistics,
) -> None:
    """Take over the saved figures once all the samples they are of have been read again."""
    if reader.digest != saved.digest:
        checkpoint.refuse_data("it was begun with other calibration data than these")
    for index, state in saved.observers.items():
        observers[index].restore(state)


def _check_count(count: int, checkpoint: Checkpoint) -> None:
    saved = checkpoint.statistics
    if saved and (count < saved.samples or (saved.complete and count > saved.samples)):
        checkpoint.refuse_data(
            f"it was begun with {'' if saved.complete else 'at least '}{saved.samples} calibration "
            f"samples, now there are {count}"
        )
