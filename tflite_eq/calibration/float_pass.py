"""First look at the calibration data: the range of every float tensor of the FP32 network."""

from __future__ import annotations

from collections.abc import Container, Iterable

from tflite_eq.data.dataset import Sample
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.statistics.histogram import RangeObserver, new_observers


def observe_ranges(
    graph: Graph,
    samples: Iterable[Sample],
    twins: TwinActivations,
    seed: int,
    followed: Container[int] | None = None,
    known: dict[int, RangeObserver] | None = None,
    loud: Container[int] = (),
) -> dict[int, RangeObserver]:
    """Run the FP32 network over all samples, unless ``known`` says what it comes to.

    Ranges come from the network's own outputs, not from TensorFlow's ``Calibrator``, which
    reports wrong ones for inputs of in-place ADDs (tensorflow issue 127842).

    Args:
        graph: The float network.
        samples: The calibration samples; iterated once.
        twins: Receives the inputs of both networks for the samples that are followed; its sample
            count is set.
        seed: Seeds the subsets that enter the histograms.
        followed: Numbers of the samples that both networks will be followed through, default all.
        known: Observers of another pass, by tensor index.
        loud: Numbers of samples whose extremes count and whose other values do not.

    Returns:
        Observers by tensor index, for every float input and computed tensor.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    network = None if known else FloatNetwork(graph)
    observers = known or new_observers(graph, network.float_tensors if network else [], seed)
    for number, sample in enumerate(track(samples, "Calibrating: FP32 ranges")):
        if followed is None or number in followed:
            for index in graph.inputs:
                twins.put_float(index, twins.samples, sample[index])
                twins.put_quantized(index, twins.samples, sample[index])
            twins.samples += 1
        if network is None:
            continue
        for index, value in network.run(sample, number):
            if index in observers and number in loud and network.ends is not None:
                observers[index].reach(network.ends, value.size)
            elif index in observers:
                observers[index].update(value, network.ends)
    return observers
