"""Samples that judge calibrated models, and the errors that models make on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set

import numpy as np

from tflite_eq.alternatives.verdict import Energies, floored
from tflite_eq.calibration.record import Calibration
from tflite_eq.calibration.stored_samples import StoredSamples
from tflite_eq.config import BiasCorrection, Config, Reconstruction
from tflite_eq.equalization.factors import with_factors
from tflite_eq.evaluation.instrumented import Instrumented
from tflite_eq.evaluation.layerwise import corresponding_tensors
from tflite_eq.graph import schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import final_softmax
from tflite_eq.progress import track
from tflite_eq.writer import write

# Fewer that judge tell nothing apart.
FEWEST_SAMPLES = 6


@dataclasses.dataclass(frozen=True)
class Errors:
    """What models did on the samples.

    Attributes:
        signal: Energy of the float network's outputs, [samples, outputs].
        noise: Energies of the errors, one array of that shape per model.
    """

    signal: Energies
    noise: list[Energies]


class Judges:
    """Samples that models of one network are compared on.

    Those that calibration does not see judge models as they are. Without any, calibration samples
    of which it sees the ranges alone do, where there are more than the pass of both networks goes
    through. Else every second one has to do, and judges a model whose biases were corrected on the
    others. Scales are a few numbers per layer and found on all of them; biases are one number per
    channel, and what corrects them fits the samples that it sees.

    Attributes:
        numbers: Numbers of the samples that judge.
        are_held_back: Whether calibration sees none of them.
        outputs: Tensors compared, by index: one per float output of the network, in front of a
            final softmax where there is one.
        reason: Why they cannot judge; empty if they can.
        learned: Positions, among the calibration samples that are followed, of those that biases
            of the models to be judged are corrected on; empty where this is needless.
    """

    def __init__(
        self,
        graph: Graph,
        skipped: Set[int],
        samples: StoredSamples,
        followed: Sequence[int],
        held_back: StoredSamples | None,
        config: Config,
    ) -> None:
        """Choose the samples.

        Args:
            graph: The float network as it was given.
            skipped: Indices of operators that stay in float.
            samples: The calibration samples.
            followed: Numbers of those that the pass of both networks goes through.
            held_back: Others, if there are any; too few of them are not used.
            config: What is asked for.
        """
        self._graph = graph
        self._skipped = skipped
        self.outputs = _judged_tensors(graph)
        self.are_held_back = held_back is not None and held_back.count >= FEWEST_SAMPLES
        chosen = held_back if self.are_held_back else samples
        assert chosen is not None
        self._samples = chosen
        passed = sorted(set(range(samples.count)) - set(followed))
        are_passed = not self.are_held_back and len(passed) >= FEWEST_SAMPLES
        self.reason = self._objection(config, are_passed)
        is_split = not (self.are_held_back or are_passed or self.reason)
        self.numbers: Sequence[int] = range(chosen.count)
        if are_passed:
            self.numbers = passed[: len(followed)]
        elif is_split:
            self.numbers = followed[1::2]
        self.learned = range(0, len(followed), 2) if is_split else range(0)

    def errors(self, records: Sequence[Calibration]) -> Errors:
        """Run the float network and quantized ones.

        Args:
            records: What the quantized ones are written from.

        Raises:
            BackendError: The runtime cannot run a model.
        """
        graph = self._graph
        exact = Instrumented(graph, {index: index for index in self.outputs})
        models = [self._model(record) for record in records]
        signal = np.zeros((len(self.numbers), len(self.outputs)))
        noise = [np.zeros_like(signal) for _ in models]
        for row, number in enumerate(track(self.numbers, "Comparing with min-max scales")):
            sample = self._samples[number]
            inputs = [sample[index] for index in graph.inputs]
            reference = {i: v.astype(np.float64) for i, v in exact.run(inputs).items()}
            signal[row] = [np.vdot(reference[i], reference[i]) for i in self.outputs]
            for energies, model in zip(noise, models):
                found = model.run(inputs)
                differences = (found[i] - reference[i] for i in self.outputs)
                energies[row] = [np.vdot(d, d) for d in differences]
        return Errors(signal, [floored(energies, signal) for energies in noise])

    def _objection(self, config: Config, are_passed: bool) -> str:
        """Why the samples cannot judge a configuration; empty if they can."""
        if not self.outputs:
            return "the network has no float output"
        if self.are_held_back or are_passed:
            return ""
        wanted = "give more samples than calibration takes"
        if self._samples.count < 2 * FEWEST_SAMPLES:
            return f"{2 * FEWEST_SAMPLES} samples are needed, there are {self._samples.count}"
        if config.reconstruction is not Reconstruction.NONE:
            return f"the filters were fitted to all samples; {wanted}"
        if config.bias_correction is BiasCorrection.FINETUNE:
            return f"the biases were trained on all samples; {wanted}"
        return ""

    def _model(self, record: Calibration) -> Instrumented:
        """The written model with what is compared among its outputs."""
        scaled = with_factors(self._graph, record.equalization)
        written = write(scaled, linear_layers(scaled), record, self._skipped)
        own = Graph.from_bytes(schema.serialize(written.model), "the quantized model")
        tensors = corresponding_tensors(self._graph, own, self.outputs)
        return Instrumented(own, tensors)


def _judged_tensors(graph: Graph) -> list[int]:
    """The float outputs whose errors tell something, logits in place of their softmax."""
    found = []
    for position, index in enumerate(graph.outputs):
        softmax = final_softmax(graph, position)
        judged = index if softmax is None else softmax.inputs[0]
        is_named_once = sum(t.name == graph.tensors[judged].name for t in graph.tensors) == 1
        if graph.tensors[judged].is_float and graph.producer(judged) and is_named_once:
            found.append(judged)
    return list(dict.fromkeys(found))
