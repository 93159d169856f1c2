"""Samples that judge calibrated models, and the errors that models make on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.alternatives.verdict import Energies, floored
from tflite_eq.config import BiasCorrection, Config, Reconstruction
from tflite_eq.data.store import ActivationStore
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.equalization.factors import with_factors
from tflite_eq.evaluation.instrumented import Instrumented
from tflite_eq.evaluation.layerwise import corresponding_tensors
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import final_softmax
from tflite_eq.progress import track
from tflite_eq.record.calibration import Calibration
from tflite_eq.writing.writer import write

# Fewer that judge tell nothing apart.
FEWEST_SAMPLES = 6

# With fewer, filters that were fitted to them look better on them than they are.
FEWEST_FITTED = 24

# With more samples the comparison would cost as large a part of the calibration, and tell no more
# than is needed: so many judge at most, and so many correct the biases of what they judge.
_MOST_JUDGING = 64
_MOST_LEARNED = 32

# Of those that judge, so many tell whether there is any doubt. A quarter of them are those that
# reach farthest: what is clipped costs them alone, and one of them may cost more than all gain.
_FEW = 16
_PART_OF_FARTHEST = 4

# What samples that have corrected biases flatter a network by at most, as a multiple of what they
# flatter a single layer by (docs/experiments.md).
_OPTIMISM = 8.0

# Bytes of the float network's outputs to keep in memory; others wait on disk.
_MEMORY_BUDGET = 64 << 20

_KEY = "exact"

Array = npt.NDArray[Any]

# Records that a model is judged by: one for every fold, or one for all of them.
Judged = Sequence[Calibration]


@dataclasses.dataclass(frozen=True)
class Fold:
    """Samples that judge a model, and those that have corrected its biases.

    Attributes:
        judging: Numbers of the samples that judge.
        learned: Positions, among the calibration samples that are followed, of those that corrected
            the biases; empty if the samples that judge are none of these, so that all may.
    """

    judging: tuple[int, ...]
    learned: tuple[int, ...] = ()


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
    through. Else the calibration samples have to do, in two folds: each half judges a model whose
    biases were corrected on the other. Scales are a few numbers per layer and found on all of them;
    biases are one number per channel, and what corrects them fits the samples that it sees. Filters
    that are fitted would be too dear to fit twice; they are as scales are.

    Attributes:
        are_held_back: Whether calibration sees none of the samples that judge.
        outputs: Tensors compared, by index: one per float output of the network, in front of a
            final softmax where there is one.
        reason: Why they cannot judge; empty if they can.
        folds: How the samples judge; each sample at most once.
    """

    def __init__(
        self,
        graph: Graph,
        skipped: Set[int],
        samples: StoredSamples,
        followed: Sequence[int],
        held_back: StoredSamples | None,
        config: Config,
        loud: Container[int] = (),
        reaches: npt.ArrayLike = (),
    ) -> None:
        """Choose the samples.

        Args:
            graph: The float network as it was given.
            skipped: Indices of operators that stay in float.
            samples: The calibration samples.
            followed: Numbers of those that the pass of both networks goes through.
            held_back: Others, if there are any; too few of them are not used.
            config: What is asked for.
            loud: Numbers of calibration samples that count less than others; none of them judges.
            reaches: How far each calibration sample reaches, in any unit; empty if nobody knows.
        """
        self._graph = graph
        self._reaches = np.asarray(reaches, np.float64)
        self._skipped = skipped
        self._followed = len(followed)
        self.outputs = _judged_tensors(graph)
        self.are_held_back = held_back is not None and held_back.count >= FEWEST_SAMPLES
        chosen = held_back if self.are_held_back else samples
        assert chosen is not None
        self._samples = chosen
        self._network: Instrumented | None = None
        self._exact = ActivationStore(_MEMORY_BUDGET)
        self._known: set[int] = set()
        self.folds: tuple[Fold, ...] = ()
        self.reason = "" if self.outputs else "the network has no float output"
        if self.reason:
            return
        is_fitted = config.reconstruction is not Reconstruction.NONE
        fewest, why = (
            (FEWEST_FITTED, " to judge fitted filters") if is_fitted else (2 * FEWEST_SAMPLES, "")
        )
        passed = [n for n in range(samples.count) if n not in followed and n not in loud]
        ordinary = [(at, n) for at, n in enumerate(followed) if n not in loud]
        if self.are_held_back:
            self.folds = (Fold(tuple(range(chosen.count))),)
        elif len(passed) >= FEWEST_SAMPLES:
            self.folds = (Fold(_at_most(passed, len(followed))),)
        elif (count := sum(n not in loud for n in range(chosen.count))) < fewest:
            self.reason = f"{fewest} samples are needed{why}, there are {count}"
        elif config.bias_correction is BiasCorrection.NONE:
            self.folds = (Fold(_at_most([n for _, n in ordinary], _MOST_JUDGING)),)
        else:
            numbers, positions = [n for _, n in ordinary], [at for at, _ in ordinary]
            self.folds = tuple(
                Fold(
                    _at_most(numbers[start::2], _MOST_JUDGING // 2),
                    _at_most(positions[1 - start :: 2], _MOST_LEARNED // 2),
                )
                for start in (0, 1)
            )

    @property
    def optimism_db(self) -> float:
        """Decibels by which a model may look better on samples that have corrected its biases.

        Without its mean over n samples the error of a layer has 1 - 1 / n of its energy left on
        these, and 1 + 1 / n on others.
        """
        count = self._followed
        is_learned = any(fold.learned for fold in self.folds)
        return _OPTIMISM * 10 * math.log10((count + 1) / (count - 1)) if is_learned else 0.0

    @property
    def count(self) -> int:
        """How many samples judge."""
        return sum(len(fold.judging) for fold in self.folds)

    def wants(self, number: int) -> bool:
        """Whether the float network's outputs for a calibration sample are of use."""
        is_judging = any(number in fold.judging for fold in self.folds)
        return is_judging and not self.are_held_back and number not in self._known

    def take(self, number: int, values: Sequence[Array]) -> None:
        """Take what the float network makes of a calibration sample, for each of ``outputs``.

        A calibration pass has run it, equalized perhaps, which is the same up to the rounding of
        float32.
        """
        self._keep(number, values)

    def close(self) -> None:
        """Forget the float network's outputs."""
        self._exact.close()

    def errors(
        self,
        models: Sequence[Judged],
        title: str = "Comparing with min-max scales",
        few: bool = False,
    ) -> Errors:
        """Run the float network, unless its outputs are known, and quantized ones.

        Args:
            models: What the quantized ones are written from.
            title: Of the progress bar.
            few: Whether to run on few samples of every fold: those that reach farthest, and others
                evenly spread.

        Raises:
            BackendError: The runtime cannot run a model.
        """
        most = -(-_FEW // len(self.folds)) if few else self.count
        order = [(n, at) for at, fold in enumerate(self.folds) for n in self._some(fold, most)]
        signal = np.zeros((len(order), len(self.outputs)))
        noise = [np.zeros_like(signal) for _ in models]
        runs = [
            (
                energies,
                record,
                [row for row, (_, at) in enumerate(order) if at % len(judged) == own],
            )
            for energies, judged in zip(noise, models)
            for own, record in enumerate(judged)
        ]
        for energies, record, rows in track(runs, title):  # one after the other: each takes memory
            model = self._model(record)
            for row in rows:
                sample = self._samples[order[row][0]]
                inputs = [sample[index] for index in self._graph.inputs]
                exact = self._exact_outputs(order[row][0], inputs)
                signal[row] = [np.vdot(values, values) for values in exact]
                found = model.run(inputs)
                differences = (found[index] - e for index, e in zip(self.outputs, exact))
                energies[row] = [np.vdot(d, d) for d in differences]
            del model
        return Errors(signal, [floored(energies, signal) for energies in noise])

    def _some(self, fold: Fold, most: int) -> Sequence[int]:
        """At most so many of the samples that judge, in their order."""
        if len(fold.judging) <= most or not len(self._reaches) or self.are_held_back:
            return _at_most(fold.judging, most)
        by_reach = sorted(fold.judging, key=lambda n: -self._reaches[n])
        farthest = by_reach[: most // _PART_OF_FARTHEST]
        others = [n for n in fold.judging if n not in farthest]
        return sorted([*farthest, *_at_most(others, most - len(farthest))])

    def _exact_outputs(self, number: int, inputs: Sequence[Array]) -> list[Energies]:
        """What the float network makes of a sample, for each of ``outputs``."""
        if number not in self._known:
            if self._network is None:
                self._network = Instrumented(self._graph, {index: index for index in self.outputs})
            found = self._network.run(inputs)
            self._keep(number, [found[index] for index in self.outputs])
        values = (self._exact.get(_KEY, index, number) for index in self.outputs)
        return [v.astype(np.float64) for v in values]

    def _keep(self, number: int, values: Sequence[Array]) -> None:
        self._known.add(number)
        for index, found in zip(self.outputs, values):
            self._exact.put(_KEY, index, number, found, lent=True)

    def _model(self, record: Calibration) -> Instrumented:
        """The written model with what is compared among its outputs."""
        scaled = with_factors(self._graph, record.equalization)
        written = write(scaled, linear_layers(scaled), record, self._skipped)
        own = Graph(written.model, "the quantized model")
        tensors = corresponding_tensors(self._graph, own, self.outputs)
        return Instrumented(own, tensors, survives=False)  # written a moment ago


def _at_most(numbers: Sequence[int], limit: int) -> tuple[int, ...]:
    """Some of the numbers, evenly spread."""
    if len(numbers) <= limit:
        return tuple(numbers)
    return tuple(numbers[i * len(numbers) // limit] for i in range(limit))


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
