"""Accuracy of models on data in memory or in files, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from tflite_eq.arguments import ModelLike, check_kind, described, given_model
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import evaluator
from tflite_eq.evaluation.evaluator import Evaluation
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.evaluation.task_evaluator import TaskEvaluation, evaluate_task
from tflite_eq.evaluation.tasks.registry import Judge, judge
from tflite_eq.graph.model import Graph
from tflite_eq.guard.validation import Validation
from tflite_eq.runtimes import Kernels

_REFERENCE = "reference"


@overload
def evaluate(
    models: Mapping[str, ModelLike],
    validation: Validation,
    *,
    reference: ModelLike | None = None,
    task: None = None,
    metric: None = None,
    decode: None = None,
    task_options: None = None,
    kernels: str = "default",
    num_workers: int | None = 1,
) -> Evaluation: ...


@overload
def evaluate(
    models: Mapping[str, ModelLike],
    validation: Validation,
    *,
    reference: ModelLike | None = None,
    task: str | None = None,
    metric: Any = None,
    decode: Any = None,
    task_options: Mapping[str, Any] | None = None,
    kernels: str = "default",
    num_workers: int | None = 1,
) -> Evaluation | TaskEvaluation: ...


def evaluate(
    models: Mapping[str, ModelLike],
    validation: Validation,
    *,
    reference: ModelLike | None = None,
    task: str | None = None,
    metric: Any = None,
    decode: Any = None,
    task_options: Mapping[str, Any] | None = None,
    kernels: str = "default",
    num_workers: int | None = 1,
) -> Evaluation | TaskEvaluation:
    """Measure models on samples, with 95 % confidence intervals.

    Without a task models are classifiers and samples have labels; a final softmax is left out:
    figures are those of the logits. Every other task is judged against the validation's truth, or
    without it against the reference.

    Args:
        models: The ``.tflite`` models, content or path, by what to call them.
        validation: Samples, with their classes or what else is expected of them.
        reference: Float model to compare with, measured as well, as ``reference``.
        task: What the models are for: ``classify``, ``detect``, ``segment``, ``landmarks``,
            ``embed`` or ``image``, see docs/tasks.md.
        metric: A function or ``Metric`` in place of a task.
        decode: Function that makes of a dict of a sample's outputs what the task judges.
        task_options: Options of the task by name.
        kernels: What computes: ``default``, ``builtin`` or ``reference``, which gives the same
            figures on every machine.
        num_workers: Processes to use at once; ``None`` takes one per core.

    Raises:
        ModelError: A model is no classifier with one input and one output, models differ in their
            number of classes, or outputs are not what the task judges.
        DatasetError: A sample cannot be read, or what is expected of it is of another kind.
        BackendError: The runtime cannot run a model.
        ConfigError: There is nothing to judge by, or an option is not allowed.

    Example:
        >>> import numpy as np, tflite_eq
        >>> net, data = "net_float.tflite", np.load("validation.npz")
        >>> validation = tflite_eq.Validation.from_arrays(data["samples"], data["labels"])
        >>> found = tflite_eq.evaluate({"int8": "net_int8.tflite"}, validation, reference=net)
        >>> found.models[1].metrics.agreement.value > 99
        True
    """
    remedy = "make one with Validation.from_arrays or Validation.from_files"
    check_kind(validation, Validation, "validation", remedy)
    check_kind(models, Mapping, "models", 'give names and models: {"int8": model}')
    if kernels not in {one.value for one in Kernels}:
        allowed = ", ".join(one.value for one in Kernels)
        raise ConfigError(f"kernels is {described(kernels)}; choose one of {allowed}")
    said = (task, metric, decode, task_options)
    judged = judge(*said) if any(one is not None for one in said) else None
    named = [NamedModel(name, given_model(model, name)[0]) for name, model in models.items()]
    compared = None if reference is None else NamedModel(_REFERENCE, given_model(reference)[0])
    if judged is not None:
        is_plain = judged.is_of_classes(validation.truth is not None)
        if not (is_plain and validation.has_labels):
            return _by_task(named, validation, compared, judged, kernels, num_workers)
    if not validation.has_labels:
        raise ConfigError(
            f"validation: {validation.description} without labels, which models cannot be judged "
            "by; give labels, or say what the models are for with task"
        )
    return evaluator.evaluate(
        named,
        validation.dataset,
        validation.preprocessing,
        reference=compared,
        kernels=Kernels(kernels),
        num_workers=num_workers,
    )


def _by_task(
    models: list[NamedModel],
    validation: Validation,
    reference: NamedModel | None,
    judged: Judge,
    kernels: str,
    num_workers: int | None,
) -> TaskEvaluation:
    if judged.figure:
        raise ConfigError(
            f"metric {judged.figure!r}: evaluate gives all figures of a task; leave it out, or "
            "give a function in place of the task"
        )
    every = [*([reference] if reference else []), *models]
    if not every:
        raise ConfigError('no model to evaluate; give names and models: {"int8": model}')
    samples = validation.inputs(Graph.from_bytes(every[0].data, every[0].name))
    return evaluate_task(
        models,
        samples,
        judged,
        truth=validation.expected(judged.task, samples),
        reference=reference,
        kernels=Kernels(kernels),
        num_workers=num_workers,
    )
