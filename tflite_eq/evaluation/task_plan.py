"""All models of an evaluation by their task, loaded in one process."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np

from tflite_eq.errors import DatasetError, ModelError, TfliteEqError
from tflite_eq.evaluation import closeness
from tflite_eq.evaluation.comparison_plan import ComparisonPlan, LoadedModels
from tflite_eq.evaluation.task import Rows, Task
from tflite_eq.evaluation.tasks.registry import Judge
from tflite_eq.runtimes import Runtime


class TaskResult(enum.Enum):
    """What the models are run for."""

    ENTRIES = "entries"  # entries of type ``Judged``
    PREDICTIONS = "predictions"  # what the task makes of the outputs


@dataclasses.dataclass(frozen=True)
class Judged:
    """What is kept of one model and one sample.

    Attributes:
        entry: The task's.
        outputs: Entries of type ``closeness.SCORE``, one for every output; ``None`` without a
            reference beside the model.
    """

    entry: Any
    outputs: Rows | None


@dataclasses.dataclass(frozen=True)
class TaskPlan:
    """How models are run and judged.

    Attributes:
        comparison: The models, and how their ends belong together.
        judge: What they are judged by.
        has_reference: Whether the first model is what the others are compared with. Without ground
            truth its results are what is expected.
        product: What is asked of the models.
    """

    comparison: ComparisonPlan
    judge: Judge
    has_reference: bool
    product: TaskResult = TaskResult.ENTRIES

    @property
    def runtime(self) -> Runtime:
        """Where models run."""
        return self.comparison.runtime

    def worker(self) -> JudgedModels:
        """The models loaded in this process."""
        return JudgedModels(self)


class JudgedModels:
    """All models loaded in one process."""

    def __init__(self, plan: TaskPlan) -> None:
        self._plan = plan
        self._models = LoadedModels(plan.comparison)

    def work(self, task: Task) -> Rows:
        """What the plan asks for of some samples, [models, samples] objects."""
        count = task.stop - task.start
        rows = np.empty((len(self._plan.comparison.models), count), object)
        for position in range(count):
            expected = None if task.expected is None else task.expected[position]
            for row, found in enumerate(self._of_sample(task.start + position, expected)):
                rows[row, position] = found
        return rows

    def _of_sample(self, index: int, truth: Any) -> list[Any]:
        """By model."""
        every = self._models.run(index)
        found: list[Any] = []
        expected = truth
        for row, outputs in enumerate(every):
            try:
                predicted = self._predicted(outputs)
                if self._plan.product is TaskResult.PREDICTIONS:
                    found.append(predicted)
                    continue
                if expected is None:
                    expected = self._plan.judge.task.expected(predicted)
                entry = self._plan.judge.task.scored(predicted, expected)
            except (ModelError, DatasetError) as error:
                raise self._at(row, index, error) from error
            close = self._closeness(outputs, every[0]) if self._plan.has_reference else None
            found.append(Judged(entry, close))
        return found

    def _predicted(self, outputs: list[Any]) -> Any:
        names = self._plan.comparison.output_names
        return self._plan.judge.predicted(dict(zip(names, outputs)))

    def _closeness(self, outputs: list[Any], reference: list[Any]) -> Rows:
        kinds = self._plan.comparison.is_real
        scores = np.zeros(len(kinds), closeness.SCORE)
        for column, pair in enumerate(zip(outputs, reference, kinds)):
            scores[column] = closeness.score(*pair)
        return scores

    def _at(self, row: int, index: int, error: TfliteEqError) -> TfliteEqError:
        comparison = self._plan.comparison
        kind = DatasetError if isinstance(error, DatasetError) else ModelError
        return kind(f"{comparison.models[row].name}, {comparison.samples.name(index)}: {error}")
