"""Bias fine-tuning as a step behind the calibration pass.

Training follows the float simulation of the quantized network, from which integer kernels may
differ by a code here and there. What it returns is therefore checked on the integer file itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.fine_tuning.differentiable import DifferentiableNetwork, check_differentiable
from tflite_eq.fine_tuning.training import BiasFineTuning
from tflite_eq.graph import edit, schema
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.record.record import Calibration
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.simulation.lockstep import corrected_on
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.tensorflow_import import check_tensorflow, import_tensorflow
from tflite_eq.trial import Bounds, Job, check_survives
from tflite_eq.writing.writer import write

_NEEDED = ("--bias_correction finetune", "use --bias_correction iterative")


def check_can_fine_tune(graph: Graph, layers: dict[int, LinearLayer]) -> None:
    """Refuse what ``fine_tuned`` cannot do, before any data are read.

    Raises:
        BackendError: TensorFlow is not installed.
        ModelError: The network has an operator whose gradient is not known.
    """
    check_tensorflow(*_NEEDED)
    check_differentiable(graph, layers)


def fine_tuned(
    network: Network,
    calibration: Calibration,
    twins: TwinActivations,
) -> Calibration:
    """The record with fine-tuned biases, if these serve the integer file no worse.

    Args:
        network: The network.
        calibration: What iterative bias correction has ended with.
        twins: That pass; must hold the network's inputs and the FP32 values of what
            ``distilled_tensors`` names.
    """
    tf = _tensorflow()
    graph, layers = network.graph, network.layers
    differentiable = DifferentiableNetwork(
        tf, graph, layers, calibration.layers, twins.params, tables=twins.tables
    )
    training = BiasFineTuning(tf, differentiable, graph, layers, twins, calibration.config.seed)
    without_judged = corrected_on(
        graph, layers, calibration.layers, twins, training.learned, calibration.config
    )
    records, course = training.run(calibration.layers, without_judged)
    found = dataclasses.replace(calibration, layers=records, fine_tuning=course)
    if course.best_epoch:
        before, after = (
            _written_noise(network, record, differentiable.targets, training)
            for record in (calibration, found)
        )
        if after <= before:
            return found
    kept = dataclasses.replace(course, best_epoch=0, noise_after=course.noise_before)
    return dataclasses.replace(calibration, fine_tuning=kept)


def _tensorflow() -> Any:
    return import_tensorflow(*_NEEDED)


def _written_noise(
    network: Network,
    calibration: Calibration,
    targets: Sequence[int],
    training: BiasFineTuning,
) -> float:
    """Noise to signal ratio of the integer file over the held-back samples.

    On built-in kernels: the reference ones lack DEPTH_TO_SPACE and TILE, and their SUM is wrong.
    """
    graph = network.graph
    ending = Graph.from_bytes(edit.with_outputs(graph, targets), graph.origin)
    written = write(ending, network.layers, calibration, network.skipped)
    runtime = preferred_runtime()
    model, tried = schema.serialize(written.model), Bounds()
    session = Session(runtime.interpreter(model, Kernels.BUILTIN))
    noises = []
    for sample in training.judged:
        inputs = training.inputs(sample)
        if tried.widen([value.shape for value in inputs]):
            check_survives(runtime, Job(model, Kernels.BUILTIN, inputs), "the quantized model")
        noises.append(training.noise_of(session.run(inputs), sample))
    return float(np.mean(noises))
