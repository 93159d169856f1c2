"""Bias fine-tuning (BFT), the second method of arXiv 1906.03193.

Only biases are trained, through the fake-quantized network, towards the outputs of the FP32
network on unlabelled images. It starts where iterative bias correction ends. The paper's
hyper-parameters are not known to us: all numbers in ``Schedule`` are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.calibration.record import FineTuning, LayerRecord
from tflite_eq.errors import DatasetError
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.progress import track
from tflite_eq.simulation.differentiable import DifferentiableNetwork
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]

# One sample is held back to judge by, the others are learned from.
FEWEST_SAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How biases are trained.

    Attributes:
        step: Adam's step, in code steps of the layer's output.
        batch: Samples per step.
        epochs: Passes over the samples learned from; at most so many.
        patience: Passes without improvement of the held-back samples before training ends.
        held_back: One of how many samples is held back.
    """

    step: float = 0.005
    batch: int = 8
    epochs: int = 40
    patience: int = 8
    held_back: int = 5


def check_enough(samples: int) -> None:
    """Refuse to train on too few samples.

    Raises:
        DatasetError: There are fewer than ``FEWEST_SAMPLES``.
    """
    if samples < FEWEST_SAMPLES:
        raise DatasetError(
            f"--bias_correction finetune needs at least {FEWEST_SAMPLES} calibration samples, one "
            f"of them to judge the others' result by, and got {samples}; give more (50 are "
            "usual), or use --bias_correction iterative"
        )


class BiasFineTuning:
    """One training of a network's biases.

    Attributes:
        judged: Numbers of the held-back samples.
    """

    def __init__(
        self,
        tf: Any,
        network: DifferentiableNetwork,
        graph: Graph,
        layers: Mapping[int, LinearLayer],
        records: Sequence[LayerRecord],
        twins: TwinActivations,
        seed: int,
        schedule: Schedule | None = None,
    ) -> None:
        """Prepare to train.

        Args:
            tf: The ``tensorflow`` module.
            network: The quantized network.
            graph: The float network.
            layers: Its linear layers by operator index.
            records: The quantized layers behind iterative bias correction.
            twins: Must hold the network's inputs, and the FP32 values of ``network.targets``.
            seed: Decides which samples are held back, and their order.
            schedule: How to train.

        Raises:
            DatasetError: There are fewer than ``FEWEST_SAMPLES`` samples.
        """
        check_enough(twins.samples)
        self._tf = tf
        self._network = network
        self._inputs = graph.inputs
        self._twins = twins
        self._schedule = schedule or Schedule()
        by_index = {record.index: record for record in records}
        self._tuned = [
            _TunedLayer(layers[index], by_index[index], twins.params) for index in network.trainable
        ]
        self._rng = np.random.default_rng([seed, twins.samples])
        order = self._rng.permutation(twins.samples)
        count = max(1, twins.samples // self._schedule.held_back)
        self.judged, self._learned = sorted(order[:count]), sorted(order[count:])
        self._factors = [1 / v for v in self._variances(self._learned)]

    def run(self) -> tuple[list[LayerRecord], FineTuning]:
        """Train.

        Returns:
            The records of the trained layers with the biases that serve the held-back samples
            best, those given if none is better; and how training went.
        """
        best = before = self.held_back_noise(
            [np.zeros(t.channels, np.float32) for t in self._tuned]
        )
        best_epoch, best_deltas = 0, None
        deltas = [self._tf.Variable(np.zeros(t.channels, np.float32)) for t in self._tuned]
        optimizer = self._tf.keras.optimizers.Adam(self._schedule.step)
        epoch = 0
        for epoch in track(range(1, self._schedule.epochs + 1), "Fine-tuning biases: epochs"):
            self._train_epoch(deltas, optimizer)
            values = [delta.numpy() for delta in deltas]
            noise = self.held_back_noise(values)
            if noise < best:
                best, best_epoch, best_deltas = noise, epoch, values
            if epoch - best_epoch >= self._schedule.patience:
                break
        records = [tuned.record for tuned in self._tuned]
        if best_deltas is not None:
            records = [tuned.with_delta(d) for tuned, d in zip(self._tuned, best_deltas)]
        return records, FineTuning(
            held_back=len(self.judged),
            epochs=int(epoch),
            best_epoch=int(best_epoch),
            noise_before=before,
            noise_after=best,
        )

    def held_back_noise(self, deltas: Sequence[Float]) -> float:
        """Noise to signal ratio of the targets over the held-back samples, summed over targets.

        Args:
            deltas: Changes of the biases, [K] per layer, in code steps of the output. They are
                judged as the int32 codes that would be written.
        """
        biases = [tuned.rounded_bias(delta) for tuned, delta in zip(self._tuned, deltas)]
        errors = np.zeros(len(self._network.targets))
        for sample in self.judged:
            found = self._network.outputs(self._sample_inputs(sample), biases)
            for i, (output, exact) in enumerate(zip(found, self._references(sample))):
                errors[i] += np.mean(np.square(output - exact, dtype=np.float64))
        return float(np.dot(errors, self._factors) / len(self.judged))

    def _train_epoch(self, deltas: list[Any], optimizer: Any) -> None:
        order = self._rng.permutation(self._learned)
        for start in range(0, len(order), self._schedule.batch):
            batch = order[start : start + self._schedule.batch]
            biases = [tuned.bias(d.numpy()) for tuned, d in zip(self._tuned, deltas)]
            total = [np.zeros(tuned.channels, np.float32) for tuned in self._tuned]
            for sample in batch:
                found = self._network.gradients(
                    self._sample_inputs(sample), biases, self._references(sample), self._factors
                )
                for layer, gradient in enumerate(found):
                    total[layer] += gradient
            scaled = [
                self._tf.constant(gradient * (tuned.step / np.float32(len(batch))))
                for gradient, tuned in zip(total, self._tuned)
            ]
            optimizer.apply_gradients(zip(scaled, deltas))

    def _variances(self, samples: Sequence[int]) -> list[float]:
        """Variance of each target's FP32 values over samples, never 0."""
        found = []
        for position in range(len(self._network.targets)):
            count, total, squares = 0, 0.0, 0.0
            for sample in samples:
                values = self._references(sample)[position].astype(np.float64)
                count += values.size
                total += float(values.sum())
                squares += float(np.square(values).sum())
            variance = squares / count - (total / count) ** 2
            # A constant output has none; its error then counts as it is.
            found.append(variance if variance > 1e-12 * squares / count else 1.0)
        return found

    def _sample_inputs(self, sample: int) -> list[Any]:
        return [self._twins.float_values(index, sample) for index in self._inputs]

    def _references(self, sample: int) -> list[Float]:
        return [self._twins.float_values(index, sample) for index in self._network.targets]


class _TunedLayer:
    """One layer's bias, in the units that training and writing need."""

    def __init__(
        self, layer: LinearLayer, record: LayerRecord, params: Mapping[int, AffineParams]
    ) -> None:
        self.record = record
        self.channels = layer.channels
        self.step = np.float32(params[layer.output].scale)
        self._layer = layer
        self._input_scale = params[layer.input].scale
        scales = np.empty(layer.channels, np.float32)
        scales[:] = record.scales
        self._scales = scales * np.float32(record.gain)
        self._start = np.zeros(layer.channels, np.float32)
        if record.bias_correction:
            self._start[:] = record.bias_correction

    def bias(self, delta: Float) -> Float:
        """The real bias with a change in code steps of the output."""
        return self._layer.bias_values + self._correction(delta)

    def rounded_bias(self, delta: Float) -> Float:
        """The same as the int32 codes hold it."""
        codes, scales = weights.quantize_bias(self.bias(delta), self._input_scale, self._scales)
        return (codes.astype(np.float64) * scales).astype(np.float32)

    def with_delta(self, delta: Float) -> LayerRecord:
        """The layer's record with the change."""
        return dataclasses.replace(self.record, bias_correction=self._correction(delta).tolist())

    def _correction(self, delta: Float) -> Float:
        return self._start + delta * self.step
