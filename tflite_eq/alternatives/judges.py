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

# Fewer tell nothing apart.
FEWEST_SAMPLES = 6


@dataclasses.dataclass(frozen=True)
class Fold:
    """A model, and the samples that judge it.

    Attributes:
        record: What the model is written from.
        samples: Their numbers.
    """

    record: Calibration
    samples: Sequence[int]


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

    Those that calibration does not see judge models as they are. Without any, the calibration
    samples themselves have to do: every other one judges a model whose biases were corrected on
    the rest, and the other way round. Scales are a few numbers per layer and found on all of them,
    biases one number per channel, and what corrects them fits the samples it sees.

    Attributes:
        samples: The samples.
        are_held_back: Whether calibration sees none of them.
        outputs: Tensors compared, by index: one per float output of the network, in front of a
            final softmax where there is one.
        reason: Why they cannot judge; empty if they can.
    """

    def __init__(
        self,
        graph: Graph,
        skipped: Set[int],
        samples: StoredSamples,
        held_back: StoredSamples | None,
        config: Config,
    ) -> None:
        """Choose the samples.

        Args:
            graph: The float network as it was given.
            skipped: Indices of operators that stay in float.
            samples: The calibration samples.
            held_back: Others, if there are any; too few of them are not used.
            config: What is asked for.
        """
        self._graph = graph
        self._skipped = skipped
        self.outputs = _judged_tensors(graph)
        self.are_held_back = held_back is not None and held_back.count >= FEWEST_SAMPLES
        chosen = held_back if self.are_held_back else samples
        assert chosen is not None
        self.samples = chosen
        self.reason = self._objection(config)

    def folds(self) -> list[list[int]]:
        """Samples by which models are judged whose biases the others correct; none if needless."""
        if self.are_held_back or self.reason:
            return []
        count = self.samples.count
        return [list(range(start, count, 2)) for start in (0, 1)]

    def everyone(self, record: Calibration) -> list[Fold]:
        """One model, judged by all samples."""
        return [Fold(record, range(self.samples.count))]

    def errors(self, models: Sequence[Sequence[Fold]]) -> Errors:
        """Run the float network and quantized ones.

        Args:
            models: For each model its folds, whose samples are all samples together.

        Raises:
            BackendError: The runtime cannot run a model.
        """
        graph = self._graph
        exact = Instrumented(graph, {index: index for index in self.outputs})
        runners = [[(self._runner(f.record), frozenset(f.samples)) for f in m] for m in models]
        signal = np.zeros((self.samples.count, len(self.outputs)))
        noise = [np.zeros_like(signal) for _ in models]
        for number, sample in enumerate(track(self.samples, "Comparing with min-max scales")):
            inputs = [sample[index] for index in graph.inputs]
            reference = {i: v.astype(np.float64) for i, v in exact.run(inputs).items()}
            signal[number] = [np.vdot(reference[i], reference[i]) for i in self.outputs]
            for energies, folds in zip(noise, runners):
                runner = next(runner for runner, samples in folds if number in samples)
                found = runner.run(inputs)
                for position, index in enumerate(self.outputs):
                    difference = found[index] - reference[index]
                    energies[number, position] = np.vdot(difference, difference)
        return Errors(signal, [floored(energies, signal) for energies in noise])

    def _objection(self, config: Config) -> str:
        """Why the samples cannot judge a configuration; empty if they can."""
        if not self.outputs:
            return "the network has no float output"
        if self.are_held_back:
            return ""
        wanted = "give more samples than calibration takes"
        if self.samples.count < FEWEST_SAMPLES:
            return f"{FEWEST_SAMPLES} samples are needed, there are {self.samples.count}"
        if config.reconstruction is not Reconstruction.NONE:
            return f"the filters were fitted to all samples; {wanted}"
        if config.bias_correction is BiasCorrection.FINETUNE:
            return f"the biases were trained on all samples; {wanted}"
        return ""

    def _runner(self, record: Calibration) -> Instrumented:
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
