"""Whether trained biases serve the integer file, from which training itself may be a code off."""

from __future__ import annotations

import numpy as np

from tflite_eq.fine_tuning.fine_tune import FineTuned
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.record.calibration import Calibration
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.trial import Bounds, Job, check_survives
from tflite_eq.writing.writer import write


def with_trained_biases(network: Network, before: Calibration, tuned: FineTuned) -> Calibration:
    """The record with trained biases if these serve the integer file no worse, else that before.

    Raises:
        BackendError: The runtime would end the process at a file.
    """
    course = tuned.calibration.fine_tuning
    assert course is not None
    if course.best_epoch:
        without, found = (_noise(network, r, tuned) for r in (before, tuned.calibration))
        if found <= without:
            return tuned.calibration
    return tuned.untrained(before)


def _noise(network: Network, calibration: Calibration, tuned: FineTuned) -> float:
    """Noise to signal ratio of the integer file over the held-back samples.

    On built-in kernels: the reference ones lack DEPTH_TO_SPACE and TILE, and their SUM is wrong.
    """
    graph = network.graph
    ending = Graph.from_bytes(edit.with_outputs(graph, tuned.targets), graph.origin)
    written = write(ending, network.layers, calibration, network.skipped)
    runtime = preferred_runtime()
    model, tried = schema.serialize(written.model), Bounds()
    session = Session(runtime.interpreter(model, Kernels.BUILTIN))
    noises = []
    for position, inputs in enumerate(tuned.inputs):
        if tried.widen([value.shape for value in inputs]):
            check_survives(runtime, Job(model, Kernels.BUILTIN, inputs), "the quantized model")
        noises.append(tuned.noise_of(session.run(inputs), position))
    return float(np.mean(noises))
