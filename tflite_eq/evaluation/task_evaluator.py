"""Judging any models by what they are for, against ground truth or against the float model."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import dispatch
from tflite_eq.evaluation.comparison import OpenedModels, OutputComparison
from tflite_eq.evaluation.comparison_plan import InputSamples
from tflite_eq.evaluation.dispatch import Engine, Workforce
from tflite_eq.evaluation.intervals import CONFIDENCE, Estimate
from tflite_eq.evaluation.task import NamedModel, Rows
from tflite_eq.evaluation.task_plan import TaskPlan, TaskResult
from tflite_eq.evaluation.tasks.figures import Figure, Pooled
from tflite_eq.evaluation.tasks.registry import Judge
from tflite_eq.evaluation.truth import Truth
from tflite_eq.runtimes import Kernels, Runtime

# Percentiles of a bootstrap lie too close together with less.
_FEW_SAMPLES = 20


@dataclasses.dataclass(frozen=True)
class TaskModel:
    """What was measured of one model.

    Attributes:
        name: As given.
        size_bytes: Size of the file.
        is_reference: Whether the other models were compared with this one.
        figures: By name.
        losses: What the reference's figures are better, by name, on the same samples; empty for
            the reference, and where nobody has said what is better.
    """

    name: str
    size_bytes: int
    is_reference: bool
    figures: dict[str, Estimate]
    losses: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class TaskEvaluation:
    """Outcome of one evaluation by a task.

    Attributes:
        judge: What models were judged by.
        has_truth: Whether that was against ground truth, rather than against the float model.
        n: Number of samples.
        figures: What was measured.
        models: With ground truth the reference first, if there is one; then the models in the
            order given.
        comparison: How close every output is to the reference's; ``None`` without one.
        runtime: Name and version of the TFLite runtime.
        kernels: What it computed with.
        doubts: What looks like a mistake, a sentence each.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> found = tflite_eq.evaluate(
        ...     {"int8": "net_int8.tflite"},
        ...     tflite_eq.Validation.from_arrays(samples[:20]),
        ...     reference="net_float.tflite",
        ...     task="classify",
        ... )
        >>> isinstance(found, tflite_eq.TaskEvaluation), found.n
        (True, 20)
    """

    judge: Judge
    has_truth: bool
    n: int
    figures: tuple[Figure, ...]
    models: tuple[TaskModel, ...]
    comparison: OutputComparison | None
    runtime: str
    kernels: Kernels
    doubts: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What one has to know to read the figures, a sentence each."""
        notes = self.doubts
        if self.comparison is not None:
            notes += self.comparison.notes
        drawn = [f.title for f in self.figures if isinstance(f.statistic, Pooled)]
        if drawn and self.n < _FEW_SAMPLES:
            notes += (
                f"{', '.join(drawn)}: intervals drawn from {self.n} samples are too narrow; give "
                f"{_FEW_SAMPLES} or more",
            )
        return notes

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        compared = None if self.comparison is None else self.comparison.to_dict()
        outputs = {m["name"]: m["outputs"] for m in compared["models"]} if compared else {}
        return {
            "judged_by": self.judge.name,
            "against": "truth" if self.has_truth else "reference",
            "n": self.n,
            "confidence": CONFIDENCE,
            "figures": [figure.to_dict() for figure in self.figures],
            "runtime": self.runtime,
            "kernels": self.kernels.value,
            "reference": compared and compared["reference"],
            "models": [
                {
                    "name": model.name,
                    "size_bytes": model.size_bytes,
                    "is_reference": model.is_reference,
                    "figures": {name: e.to_dict() for name, e in model.figures.items()},
                    "losses": {name: e.to_dict() for name, e in model.losses.items()},
                    "outputs": outputs.get(model.name),
                }
                for model in self.models
            ],
            "notes": list(self.notes),
        }


def evaluate_task(
    models: Sequence[NamedModel],
    samples: InputSamples,
    judge: Judge,
    *,
    truth: Truth | None = None,
    reference: NamedModel | None = None,
    kernels: Kernels = Kernels.DEFAULT,
    runtime: Runtime | None = None,
    num_workers: int | None = 1,
    engine: Engine = Engine.LOCAL,
    ray_address: str | None = None,
) -> TaskEvaluation:
    """Judge models by what they are for.

    Args:
        models: What to measure.
        samples: For the inputs of the reference, or of the first model without one.
        judge: What to judge by.
        truth: What is expected of every sample, see ``given_truth``.
        reference: Float model. Without ``truth`` its results are what is expected of the others;
            with it, it is judged as well.
        kernels: What the runtime computes with.
        runtime: Where models run; default the preferred one.
        num_workers: As for ``evaluator.evaluate``, like the rest.
        engine: See there.
        ray_address: See there.

    Raises:
        ModelError: A model's outputs are not what the task judges.
        DatasetError: A sample cannot be read, does not fit a model, or tells nothing.
        BackendError: The runtime cannot run a model, or crashed.
        ConfigError: There is nothing to compare with, or an option is not allowed.
    """
    workforce = Workforce(num_workers, engine, ray_address)
    workforce.check()
    every = [*([reference] if reference else []), *models]
    if not models:
        raise ConfigError("no model to evaluate: name one with --model")
    if reference is None and truth is None:
        raise ConfigError(
            f"{judge.name}: what to expect of the models is not said; name a float model with "
            "--reference, or ground truth with --truth or --labels"
        )
    opened = OpenedModels.of(every, every[0], samples, kernels, runtime)
    plan = _plan(opened, every[0], judge, reference is not None)
    rows = _rows(plan, len(samples), workforce, truth)
    entries = [[judged.entry for judged in row] for row in rows]
    has_truth = truth is not None
    judge.task.check(entries[0], has_truth)
    figures = judge.task.figures(has_truth)
    shown = [
        TaskModel(
            name=model.name,
            size_bytes=len(model.data),
            is_reference=reference is not None and position == 0,
            figures={f.name: f.statistic.estimate(entries[position]) for f in figures},
            losses={
                f.name: f.loss(entries[0], entries[position])
                for f in figures
                if reference is not None and position and f.has_loss
            },
        )
        for position, model in enumerate(every)
        # Compared with itself the reference has nothing to show.
        if has_truth or position
    ]
    comparison = None
    if reference is not None:
        close = np.stack([np.stack([judged.outputs for judged in row]) for row in rows[1:]])
        comparison = opened.comparison(reference, close)
    return TaskEvaluation(
        judge,
        has_truth,
        len(samples),
        figures,
        tuple(shown),
        comparison,
        plan.runtime.description,
        kernels,
        tuple(
            f"{model.name}: {doubt}"
            for model, own in zip(every, entries)
            for doubt in judge.task.doubts(own)
        ),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Expectations:
    """What is expected of models on some samples, to judge many of them without the float one.

    Attributes:
        reference: The float model.
        samples: What it ran on.
        judge: What models are judged by.
        has_truth: Whether that is ground truth.
        expected: By sample.
        entries: The float model's own, by sample.
        runtime: Where models run.
    """

    reference: NamedModel
    samples: InputSamples
    judge: Judge
    has_truth: bool
    expected: Rows
    entries: tuple[Any, ...]
    runtime: Runtime

    @classmethod
    def of(
        cls,
        reference: NamedModel,
        samples: InputSamples,
        judge: Judge,
        truth: Truth | None = None,
        runtime: Runtime | None = None,
        num_workers: int | None = 1,
    ) -> Expectations:
        """Run the float model once.

        What the task makes of its outputs is kept in memory.

        Raises:
            TfliteEqError: As for ``evaluate_task``; or the judge has no figure for a bound.
        """
        workforce = Workforce(num_workers)
        workforce.check()
        judge.bound_figure(truth is not None)
        opened = OpenedModels.of([reference], reference, samples, Kernels.DEFAULT, runtime)
        plan = _plan(opened, reference, judge, False)
        predicting = dataclasses.replace(plan, product=TaskResult.PREDICTIONS)
        predictions = _rows(predicting, len(samples), workforce, None)[0]
        task = plan.judge.task
        expected = truth
        if expected is None:
            expected = np.empty(len(samples), object)
            for position, predicted in enumerate(predictions):
                expected[position] = task.expected(predicted)
        entries = tuple(task.scored(*pair) for pair in zip(predictions, expected))
        task.check(entries, truth is not None)
        return cls(
            reference, samples, plan.judge, truth is not None, expected, entries, plan.runtime
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """What looks like a mistake of the float model, a sentence each."""
        return self.judge.task.doubts(self.entries)

    @property
    def figure(self) -> Figure:
        """What a bound is about."""
        return self.judge.bound_figure(self.has_truth)

    def loss(self, model: NamedModel, num_workers: int | None = 1) -> Estimate:
        """What a model loses of the float model's figure.

        Raises:
            TfliteEqError: As for ``evaluate_task``.
        """
        opened = OpenedModels.of(
            [model], self.reference, self.samples, Kernels.DEFAULT, self.runtime
        )
        plan = TaskPlan(opened.plan, self.judge, has_reference=False)
        rows = _rows(plan, len(self.samples), Workforce(num_workers), self.expected)
        return self.figure.loss(self.entries, [judged.entry for judged in rows[0]])

    def digest(self) -> bytes:
        """SHA-256 over the float model, the samples and all else that losses depend on.

        Raises:
            ConfigError: Ground truth of one's own kind cannot be written down.
        """
        found = hashlib.sha256(self.reference.data)
        facts = (self.judge.description, self.has_truth, self.runtime.description)
        found.update(repr(facts).encode())
        for position in range(len(self.samples)):
            sample = self.samples[position]
            parts = dict(sample) if isinstance(sample, Mapping) else {"": sample}
            for name, values in parts.items():
                found.update(f"{name}{values.shape}{values.dtype}".encode())
                found.update(np.ascontiguousarray(values).tobytes())
            if self.has_truth:
                found.update(_written(self.expected[position]))
        return found.digest()


def _written(truth: Any) -> bytes:
    try:
        return pickle.dumps(truth, protocol=4)
    except Exception as error:  # whatever pickle says of the user's objects
        raise ConfigError(
            f"the ground truth holds a {type(truth).__name__}, which cannot be written down for "
            f"--resume_dir ({error}); give arrays or numbers, or leave --resume_dir out"
        ) from error


def _plan(
    opened: OpenedModels, reference: NamedModel, judge: Judge, has_reference: bool
) -> TaskPlan:
    graph = opened.matches[0].graph
    assert opened.matches[0].model is reference
    return TaskPlan(opened.plan, judge.bound_to(graph, opened.plan.output_names), has_reference)


def _rows(plan: TaskPlan, count: int, workforce: Workforce, expected: Rows | None) -> Rows:
    if workforce.num_workers != 1 or workforce.engine is not Engine.LOCAL:
        plan.judge.check_picklable()
    return dispatch.run(plan, count, workforce, expected)
