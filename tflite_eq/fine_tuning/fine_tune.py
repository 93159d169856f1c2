"""Bias fine-tuning as a step behind the calibration pass.

Training follows the float simulation of the quantized network, from which integer kernels may
differ by a code here and there. What it returns is therefore still to be compared on integer files
(``alternatives.trained_biases``), with samples that it has not learned from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tflite_eq.fine_tuning.differentiable import DifferentiableNetwork, check_differentiable
from tflite_eq.fine_tuning.training import BiasFineTuning
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.record.calibration import Calibration
from tflite_eq.simulation.lockstep import corrected_on
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.tensorflow_import import check_tensorflow, import_tensorflow

_NEEDED = ("--bias_correction finetune", "use --bias_correction iterative")


def check_can_fine_tune(graph: Graph, layers: dict[int, LinearLayer]) -> None:
    """Refuse what ``fine_tuned`` cannot do, before any data are read.

    Raises:
        BackendError: TensorFlow is not installed.
        ModelError: The network has an operator whose gradient is not known.
    """
    check_tensorflow(*_NEEDED)
    check_differentiable(graph, layers)


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """What training has come to.

    Attributes:
        calibration: The record with trained biases; its course says whether they gain anything.
        targets: Tensors that tell, by index in the float network.
        inputs: Values of the network's inputs in their order, of samples that were not trained on.
        noise_of: Noise to signal ratio of values of the targets, given the position of a sample.
    """

    calibration: Calibration
    targets: Sequence[int]
    inputs: list[list[Any]]
    noise_of: Callable[[Sequence[Any], int], float]

    def untrained(self, before: Calibration) -> Calibration:
        """The record that training began with, and that it gained nothing."""
        course = self.calibration.fine_tuning
        assert course is not None
        kept = dataclasses.replace(course, best_epoch=0, noise_after=course.noise_before)
        return dataclasses.replace(before, fine_tuning=kept)


def fine_tuned(network: Network, calibration: Calibration, twins: TwinActivations) -> FineTuned:
    """Train the biases of a calibration.

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
    references = [training.references(sample) for sample in training.judged]
    return FineTuned(
        dataclasses.replace(calibration, layers=records, fine_tuning=course),
        differentiable.targets,
        [training.inputs(sample) for sample in training.judged],
        lambda outputs, position: training.noise_of(outputs, references[position]),
    )


def _tensorflow() -> Any:
    return import_tensorflow(*_NEEDED)
