"""First look at the calibration data: the range of every float tensor of the FP32 network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.errors import BackendError, DatasetError, ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.runtimes import preferred_runtime
from tflite_eq.simulation.twins import TwinActivations

# Squares of larger values, summed over the sampled positions, would leave the range of float32.
_LARGEST_VALUE = 1e15


def observe_ranges(
    graph: Graph, reader: SampleReader, twins: TwinActivations, seed: int
) -> dict[int, RangeObserver]:
    """Run the FP32 network over all samples.

    Ranges come from the network's own outputs, not from TensorFlow's ``Calibrator``, which
    reports wrong ones for inputs of in-place ADDs (tensorflow issue 127842).

    Args:
        graph: The float network.
        reader: The calibration samples; read once.
        twins: Receives the inputs of both networks; its sample count is set.
        seed: Seeds the subsets that enter the histograms.

    Returns:
        Observers by tensor index, for every float input and computed tensor.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    computed = edit.computed_tensors(graph)
    observers = {
        index: RangeObserver(graph.tensors[index].name, seed=seed + index)
        for index in (*graph.inputs, *computed)
        if graph.tensors[index].is_float
    }
    try:
        interpreter = preferred_runtime().interpreter(edit.with_all_tensors_as_outputs(graph))
        interpreter.allocate_tensors()
    except (BackendError, ValueError, RuntimeError) as error:
        raise ModelError(f"{graph.origin}: the TFLite runtime cannot run it: {error}") from error
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    shapes = [tuple(d["shape"]) for d in inputs]
    for sample in track(reader, "Calibrating: FP32 ranges"):
        number = twins.samples
        values = [sample[index] for index in graph.inputs]
        try:
            if [v.shape for v in values] != shapes:
                shapes = [v.shape for v in values]
                for detail, shape in zip(inputs, shapes):
                    interpreter.resize_tensor_input(detail["index"], shape)
                interpreter.allocate_tensors()
            for detail, value in zip(inputs, values):
                interpreter.set_tensor(detail["index"], value)
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{graph.origin}: the network fails on calibration sample {number}: {error}"
            ) from error
        for index, value in zip(graph.inputs, values):
            twins.put_float(index, number, value)
            twins.put_quantized(index, number, value)
            _observe(graph, observers, index, value, number)
        for index, detail in zip(computed, outputs):
            if index in observers:
                value = interpreter.get_tensor(detail["index"])
                _observe(graph, observers, index, value, number)
        twins.samples += 1
    for index, observer in observers.items():
        if observer.count and observer.largest_magnitude > _LARGEST_VALUE:
            raise ModelError(
                f"{graph.origin}: tensor '{graph.tensors[index].name}' reaches "
                f"{observer.largest_magnitude:.3g} on the calibration data, which no int8 scale "
                "can represent. Check the preprocessing; masks should use a moderate constant such "
                "as -1e4"
            )
    return observers


def _observe(
    graph: Graph,
    observers: dict[int, RangeObserver],
    index: int,
    value: npt.NDArray[np.float32],
    number: int,
) -> None:
    if index not in observers:
        return
    try:
        observers[index].update(value)
    except DatasetError as error:
        raise ModelError(
            f"{graph.origin}: on calibration sample {number} the FP32 network itself goes wrong: "
            f"{error}"
        ) from error
