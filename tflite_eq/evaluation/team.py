"""All models of an evaluation loaded in one process, to run chunks of samples through them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.samples import Samples
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.classifier import Classifier
from tflite_eq.runtimes import Kernels, Runtime

# What comes back of a task: one row per model, [models, samples] or [models, samples, classes].
Rows = npt.NDArray[Any]

# Position of a task's first sample, and what comes back of the task.
Chunks = Iterator["tuple[int, Rows]"]


class Product(enum.Enum):
    """What the models are run for."""

    SCORES = "scores"  # entries of type ``metrics.SCORE``
    LOGITS = "logits"  # the logits themselves, float32


@dataclasses.dataclass(frozen=True)
class Task:
    """Some of the samples, one after the other.

    Attributes:
        start: Position of the first one.
        stop: Position behind the last one.
        expected: Stored logits of the reference for them, [stop - start, classes]; ``None`` if
            the reference is among the models or there is none.
    """

    start: int
    stop: int
    expected: metrics.Logits | None = None


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
        product: What is asked of the models.
        kernels: What the runtime computes with.
        runtime: Where models run.
    """

    models: tuple[NamedModel, ...]
    samples: tuple[Samples, ...]
    samples_of: tuple[int, ...]
    labels: tuple[int, ...]
    has_reference: bool
    product: Product
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

    def work(self, task: Task) -> Rows:
        """What the plan asks for of some samples, [models, samples, ...]."""
        logits = (self._logits(index) for index in range(task.start, task.stop))
        if self._plan.product is Product.LOGITS:
            return np.stack([np.stack(rows) for rows in logits], axis=1)
        scores = np.zeros((len(self.classifiers), task.stop - task.start), metrics.SCORE)
        for position, rows in enumerate(logits):
            reference = rows[0] if self._plan.has_reference else None
            if task.expected is not None:
                reference = task.expected[position]
            label = self._plan.labels[task.start + position]
            for row, own in enumerate(rows):
                scores[row, position] = metrics.score(own, label, reference)
        return scores

    def _logits(self, index: int) -> list[npt.NDArray[np.float32]]:
        """Logits of every model for one sample, which is read once."""
        inputs = [samples[index] for samples in self._plan.samples]
        return [
            classifier.logits(inputs[self._plan.samples_of[row]])
            for row, classifier in enumerate(self.classifiers)
        ]
