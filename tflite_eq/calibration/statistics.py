"""First look at the calibration data: the range of every float tensor of the FP32 network."""

from __future__ import annotations

from collections.abc import Iterable

from tflite_eq.calibration.checkpoint import Checkpoint
from tflite_eq.calibration.dataset import Sample
from tflite_eq.calibration.float_network import FloatNetwork
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.simulation.twins import TwinActivations


def observe_ranges(
    graph: Graph,
    samples: Iterable[Sample],
    twins: TwinActivations,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> dict[int, RangeObserver]:
    """Run the FP32 network over all samples.

    Ranges come from the network's own outputs, not from TensorFlow's ``Calibrator``, which
    reports wrong ones for inputs of in-place ADDs (tensorflow issue 127842).

    Args:
        graph: The float network.
        samples: The calibration samples; iterated once.
        twins: Receives the inputs of both networks; its sample count is set.
        seed: Seeds the subsets that enter the histograms.
        checkpoint: Gives the figures of the samples an interrupted run has seen, and takes those
            of the others. It has made sure that these are the same samples.

    Returns:
        Observers by tensor index, for every float input and computed tensor.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    network = FloatNetwork(graph)
    observers = {
        index: RangeObserver(graph.tensors[index].name, seed=seed + index)
        for index in network.float_tensors
    }
    saved = checkpoint.statistics if checkpoint else None
    for index, state in saved.observers.items() if saved else ():
        observers[index].restore(state)
    known = saved.samples if saved else 0
    for sample in track(samples, "Calibrating: FP32 ranges"):
        number = twins.samples
        for index in graph.inputs:
            twins.put_float(index, number, sample[index])
            twins.put_quantized(index, number, sample[index])
        twins.samples += 1
        if number < known:
            continue
        for index, value in network.run(sample, number):
            if index in observers:
                observers[index].update(value)
        if checkpoint:
            checkpoint.save_statistics(twins.samples, observers, False)
    if checkpoint and not (saved and saved.complete):
        checkpoint.save_statistics(twins.samples, observers, True)
    return observers
