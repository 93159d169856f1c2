"""What a quantized model loses on validation data: of classes, or of what its task is."""

from __future__ import annotations

from typing import Protocol

from tflite_eq.evaluation.evaluator import evaluate, predict
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.evaluation.task_evaluator import Expectations
from tflite_eq.graph.model import Graph
from tflite_eq.guard.bound import Guard
from tflite_eq.guard.search import Drop
from tflite_eq.progress import note


class Measure(Protocol):
    """Measures models against a float one, which has run already."""

    @property
    def samples(self) -> int:
        """Number of samples."""

    def digest(self) -> bytes:
        """Hash of all that a loss depends on besides the model."""

    def drop(self, model: NamedModel) -> Drop:
        """What a model loses.

        Raises:
            TfliteEqError: It cannot be run or judged.
        """


def measure(guard: Guard, reference: NamedModel, num_workers: int | None) -> Measure:
    """Run the float model on the validation data.

    Raises:
        TfliteEqError: It cannot be judged as the guard says.
    """
    if guard.judge is None:
        return ClassMeasure(guard, reference, num_workers)
    return TaskMeasure(guard, reference, num_workers)


class ClassMeasure:
    """Loss in points of top-1, or of agreement where classes are not known."""

    def __init__(self, guard: Guard, reference: NamedModel, num_workers: int | None) -> None:
        """Run the float model."""
        self._validation = guard.validation
        self._num_workers = num_workers
        self._reference = predict(
            reference,
            self._validation.dataset,
            self._validation.preprocessing,
            num_workers=num_workers,
        )

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._validation.dataset.labels)

    def digest(self) -> bytes:
        """Hash over the float model's logits and all they depend on."""
        return self._reference.digest()

    def drop(self, model: NamedModel) -> Drop:
        """What a model loses."""
        evaluation = evaluate(
            [model],
            self._validation.dataset,
            self._validation.preprocessing,
            reference=self._reference,
            num_workers=self._num_workers,
        )
        figures = evaluation.models[-1].metrics
        if self._validation.has_labels:
            assert figures.top1_drop is not None
            return Drop(figures.top1_drop, figures.n)
        assert figures.agreement is not None
        return Drop(figures.agreement.complement(100), figures.n)


class TaskMeasure:
    """Loss of a task's figure, in its own unit."""

    def __init__(self, guard: Guard, reference: NamedModel, num_workers: int | None) -> None:
        """Run the float model."""
        assert guard.judge is not None
        graph = Graph.from_bytes(reference.data, reference.name)
        samples = guard.validation.inputs(graph)
        truth = guard.validation.expected(guard.judge.task, samples)
        self._num_workers = num_workers
        self._expectations = Expectations.of(
            reference, samples, guard.judge, truth, num_workers=num_workers
        )
        for doubt in self._expectations.doubts:
            note(f"warning: {reference.name}: {doubt}")

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._expectations.entries)

    def digest(self) -> bytes:
        """Hash over the float model, the samples and what is expected of them."""
        return self._expectations.digest()

    def drop(self, model: NamedModel) -> Drop:
        """What a model loses."""
        loss = self._expectations.loss(model, self._num_workers)
        return Drop(loss, self.samples)
