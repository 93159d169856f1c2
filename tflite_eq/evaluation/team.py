"""All models of an evaluation loaded in one process, to score chunks of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tflite_eq.data.sources import Samples
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.classifier import Classifier
from tflite_eq.runtimes import Kernels, Runtime

# Position of a chunk's first sample, and the chunk's scores, shape [models, samples].
Chunks = Iterator["tuple[int, metrics.Scores]"]


@dataclasses.dataclass(frozen=True)
class NamedModel:
    """A ``.tflite`` file to evaluate.

    Attributes:
        name: How to call it in messages and results.
        data: Content of the file.
    """

    name: str
    data: bytes


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that a process needs; small or memory-mapped apart from the models.

    Attributes:
        models: What to run, softmax removed.
        samples: The samples as input for models, once for every distinct input shape.
        samples_of: By model: which of ``samples`` fits its input.
        labels: Class of every sample.
        has_reference: Whether the first model is what the others are compared with.
        kernels: What the runtime computes with.
        runtime: Where models run.
    """

    models: tuple[NamedModel, ...]
    samples: tuple[Samples, ...]
    samples_of: tuple[int, ...]
    labels: tuple[int, ...]
    has_reference: bool
    kernels: Kernels
    runtime: Runtime


class Team:
    """All models loaded in one process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.classifiers = [
            Classifier(
                model.name, model.data, plan.samples[fitting].shape, plan.runtime, plan.kernels
            )
            for model, fitting in zip(plan.models, plan.samples_of)
        ]

    def score(self, start: int, stop: int) -> metrics.Scores:
        """Scores of samples ``start`` to ``stop``, shape [models, stop - start]."""
        scores = np.zeros((len(self.classifiers), stop - start), metrics.SCORE)
        for index in range(start, stop):
            inputs = [samples[index] for samples in self._plan.samples]
            reference = None
            for row, classifier in enumerate(self.classifiers):
                logits = classifier.logits(inputs[self._plan.samples_of[row]])
                if row == 0 and self._plan.has_reference:
                    reference = logits
                label = self._plan.labels[index]
                scores[row, index - start] = metrics.score(logits, label, reference)
        return scores
