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

from tflite_eq.errors import DatasetError
from tflite_eq.fine_tuning.differentiable import DifferentiableNetwork
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.progress import track
from tflite_eq.record.calibration import FineTuning, LayerRecord
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

# Two are held back: one alone could not tell a gain from chance.
FEWEST_SAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How biases are trained.

    Attributes:
        step: Adam's step, in code steps of the layer's output.
        batch: Samples per step.
        gradients: Gradients of single samples that the trial takes; at most so many, in whole
            passes over the samples learned from.
        patience: Passes without improvement of the held-back samples before training ends.
        held_back: One of how many samples is held back.
        certainty: By how many standard errors the held-back samples must gain on average.
        averaged: Passes over which biases are averaged. Every step redraws the rounding errors of
            all layers behind it; a step that is too large for single iterates does less harm to
            their average.
    """

    step: float = 0.01
    batch: int = 8
    gradients: int = 2000
    patience: int = 8
    held_back: int = 5
    certainty: float = 2.0
    averaged: float = 2.0


def check_enough(samples: int) -> None:
    """Refuse to train on too few samples.

    Raises:
        DatasetError: There are fewer than ``FEWEST_SAMPLES``.
    """
    if samples < FEWEST_SAMPLES:
        raise DatasetError(
            f"--bias_correction finetune needs at least {FEWEST_SAMPLES} calibration samples, two "
            f"of them to judge the others' result by, and got {samples}; give more (50 are "
            "usual), or use --bias_correction iterative"
        )


class BiasFineTuning:
    """Training of one network's biases.

    Iterative correction has seen all samples, and training must not have seen those that judge it.
    So a *trial* leaves the held-back samples out of both. What it gains on them, and after how many
    passes, is what to expect of other data. If that is more than chance, training is repeated with
    all samples, from the biases that iterative correction finds with all samples, for as many
    passes.

    Attributes:
        learned: Numbers of the samples that the trial learns from.
        judged: Numbers of the held-back samples.
    """

    def __init__(
        self,
        tf: Any,
        network: DifferentiableNetwork,
        graph: Graph,
        layers: Mapping[int, LinearLayer],
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
            twins: Must hold the network's inputs, and the FP32 values of ``network.targets``.
            seed: Decides which samples are held back, and the order of the others.
            schedule: How to train.

        Raises:
            DatasetError: There are fewer than ``FEWEST_SAMPLES`` samples.
        """
        check_enough(twins.samples)
        self._tf = tf
        self._network = network
        self._inputs = graph.inputs
        self._layers = layers
        self._twins = twins
        self._schedule = schedule or Schedule()
        self._rng = np.random.default_rng([seed, twins.samples])
        order = self._rng.permutation(twins.samples).tolist()
        count = max(2, twins.samples // self._schedule.held_back)
        self.judged, self.learned = sorted(order[:count]), sorted(order[count:])
        self._factors = [1 / v for v in self._variances(self.learned)]

    def run(
        self, records: Sequence[LayerRecord], without_judged: Sequence[LayerRecord]
    ) -> tuple[list[LayerRecord], FineTuning]:
        """Train.

        Args:
            records: The quantized layers behind iterative bias correction on all samples.
            without_judged: The same behind iterative bias correction on ``learned`` alone.

        Returns:
            The records with trained biases, those given if training gains nothing; and how the
            trial went.
        """
        trial = self._start(without_judged, self.learned)
        before = best = self.noise(trial.rounded())
        epoch = best_epoch = 0
        epochs = max(1, self._schedule.gradients // len(self.learned))
        for epoch in track(range(1, epochs + 1), "Fine-tuning biases: trial epochs"):
            self._train_epoch(trial)
            noise = self.noise(trial.rounded())
            if noise.mean() < best.mean():
                best, best_epoch = noise, epoch
            if epoch - best_epoch >= self._schedule.patience:
                break
        if not self._is_gain(before - best):
            best, best_epoch = before, 0
        kept = list(records)
        if best_epoch:
            biases = self._start(records, range(self._twins.samples))
            for _ in track(range(best_epoch), "Fine-tuning biases: epochs with all samples"):
                self._train_epoch(biases)
            tuned = {record.index: record for record in biases.records()}
            kept = [tuned.get(record.index, record) for record in records]
        return kept, FineTuning(
            held_back=len(self.judged),
            epochs=int(epoch),
            best_epoch=int(best_epoch),
            noise_before=float(before.mean()),
            noise_after=float(best.mean()),
        )

    def noise(self, biases: Sequence[Float]) -> Double:
        """Noise to signal ratio per held-back sample with these real biases [K] per layer."""
        return np.array(
            [
                self.noise_of(
                    self._network.outputs(self.inputs(sample), biases), self.references(sample)
                )
                for sample in self.judged
            ]
        )

    def noise_of(self, outputs: Sequence[Float], references: Sequence[Float]) -> float:
        """Noise to signal ratio of one sample's targets, summed over targets."""
        noises = (
            factor * np.mean(np.square(output.reshape(exact.shape) - exact, dtype=np.float64))
            for output, exact, factor in zip(outputs, references, self._factors)
        )
        return float(sum(noises))

    def inputs(self, sample: int) -> list[Any]:
        """One sample's values of the network's inputs in their order."""
        return [self._twins.float_values(index, sample) for index in self._inputs]

    def _is_gain(self, gains: Double) -> bool:
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        return bool(gains.mean() > self._schedule.certainty * error)

    def _start(self, records: Sequence[LayerRecord], samples: Sequence[int]) -> _Biases:
        by_index = {record.index: record for record in records}
        layers = [
            _TunedLayer(self._layers[index], by_index[index], self._twins.params)
            for index in self._network.trainable
        ]
        return _Biases(self._tf, layers, samples, self._schedule)

    def _train_epoch(self, biases: _Biases) -> None:
        order = self._rng.permutation(biases.samples).tolist()
        for start in range(0, len(order), self._schedule.batch):
            batch = order[start : start + self._schedule.batch]
            real = biases.real()
            gradients = [
                self._network.gradients(
                    self.inputs(sample), real, self.references(sample), self._factors
                )
                for sample in batch
            ]
            biases.descend([np.mean(layer, axis=0) for layer in zip(*gradients)])

    def _variances(self, samples: Sequence[int]) -> list[float]:
        """Variance of each target's FP32 values over samples, never 0."""
        found = []
        for position in range(len(self._network.targets)):
            count, total, squares = 0, 0.0, 0.0
            for sample in samples:
                values = self.references(sample)[position].astype(np.float64)
                count += values.size
                total += float(values.sum())
                squares += float(np.square(values).sum())
            variance = squares / count - (total / count) ** 2
            # A constant output has none; its error then counts as it is.
            found.append(variance if variance > 1e-12 * squares / count else 1.0)
        return found

    def references(self, sample: int) -> list[Float]:
        """The FP32 network's values of the targets for one sample."""
        return [self._twins.float_values(index, sample) for index in self._network.targets]


class _Biases:
    """The biases of all trained layers on their way down.

    Attributes:
        samples: Numbers of the samples that they learn from.
    """

    def __init__(
        self, tf: Any, layers: Sequence[_TunedLayer], samples: Sequence[int], schedule: Schedule
    ) -> None:
        self.samples = samples
        self._tf = tf
        self._layers = layers
        self._deltas = [tf.Variable(np.zeros(layer.channels, np.float32)) for layer in layers]
        self._averages = [np.zeros(layer.channels, np.float32) for layer in layers]
        self._optimizer = tf.keras.optimizers.Adam(schedule.step)
        self._horizon = schedule.averaged * max(1.0, len(samples) / schedule.batch)
        self._steps = 0

    def real(self) -> list[Float]:
        """Real biases as the last step left them, [K] per layer."""
        return [layer.bias(delta.numpy()) for layer, delta in zip(self._layers, self._deltas)]

    def rounded(self) -> list[Float]:
        """Averaged real biases as the int32 codes hold them, [K] per layer."""
        return [layer.rounded_bias(mean) for layer, mean in zip(self._layers, self._averages)]

    def records(self) -> list[LayerRecord]:
        """The layers' records with the averaged biases."""
        return [layer.with_delta(mean) for layer, mean in zip(self._layers, self._averages)]

    def descend(self, gradients: Sequence[Float]) -> None:
        """One step against gradients by the real biases."""
        scaled = [
            self._tf.constant(gradient * layer.step)
            for gradient, layer in zip(gradients, self._layers)
        ]
        self._optimizer.apply_gradients(zip(scaled, self._deltas))
        self._steps += 1
        # A plain mean until the horizon is reached, then one that forgets.
        weight = np.float32(1 / min(self._steps, self._horizon))
        for mean, delta in zip(self._averages, self._deltas):
            mean += weight * (delta.numpy() - mean)


class _TunedLayer:
    """One layer's bias, in the units that training and writing need."""

    def __init__(
        self, layer: LinearLayer, record: LayerRecord, params: Mapping[int, AffineParams]
    ) -> None:
        self.channels = layer.channels
        self.step = np.float32(params[layer.output].scale)
        self._record = record
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
        return dataclasses.replace(self._record, bias_correction=self._correction(delta).tolist())

    def _correction(self, delta: Float) -> Float:
        return self._start + delta * self.step
