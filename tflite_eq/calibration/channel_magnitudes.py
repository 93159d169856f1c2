"""Largest magnitude of each channel of some tensors of the FP32 network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.errors import BackendError, ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track
from tflite_eq.runtimes import preferred_runtime


def channel_magnitudes(
    graph: Graph, tensors: Sequence[int], reader: SampleReader
) -> dict[int, npt.NDArray[np.float64]]:
    """Run the FP32 network over all samples and keep the largest magnitude per channel.

    Args:
        graph: The float network.
        tensors: Float tensors, channels last.
        reader: The calibration samples; read once.

    Returns:
        [C] by tensor index.

    Raises:
        DatasetError: The data set is empty or does not fit the model.
        ModelError: The network cannot be run.
    """
    magnitudes = {t: np.zeros(graph.tensors[t].shape[-1]) for t in tensors}
    try:
        interpreter = preferred_runtime().interpreter(edit.with_outputs(graph, tensors))
        for sample in track(reader, "Calibrating: channel magnitudes"):
            details = interpreter.get_input_details()
            for detail, index in zip(details, graph.inputs):
                interpreter.resize_tensor_input(detail["index"], sample[index].shape)
            interpreter.allocate_tensors()
            for detail, index in zip(details, graph.inputs):
                interpreter.set_tensor(detail["index"], sample[index])
            interpreter.invoke()
            for tensor, detail in zip(tensors, interpreter.get_output_details()):
                values = np.abs(interpreter.get_tensor(detail["index"]))
                largest = values.reshape(-1, values.shape[-1]).max(axis=0)
                magnitudes[tensor] = np.maximum(magnitudes[tensor], largest)
    except (BackendError, ValueError, RuntimeError) as error:
        raise ModelError(f"{graph.origin}: the TFLite runtime cannot run it: {error}") from error
    return magnitudes
