"""All classifiers of an evaluation loaded in one process, to run labelled samples through them."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
import numpy.typing as npt

from tflite_eq.data.samples import Samples
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.classifier import Classifier
from tflite_eq.evaluation.task import NamedModel, Rows, Task
from tflite_eq.runtimes import Kernels, Runtime


class ResultKind(enum.Enum):
    """What the models are run for."""

    SCORES = "scores"  # entries of type ``metrics.SCORE``
    LOGITS = "logits"  # the logits themselves, float32


@dataclasses.dataclass(frozen=True)
class LabelPlan:
    """How classifiers are run on labelled samples.

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
    product: ResultKind
    kernels: Kernels
    runtime: Runtime

    def worker(self) -> LoadedClassifiers:
        """The models loaded in this process."""
        return LoadedClassifiers(self)


class LoadedClassifiers:
    """All classifiers loaded in one process."""

    def __init__(self, plan: LabelPlan) -> None:
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
        if self._plan.product is ResultKind.LOGITS:
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
