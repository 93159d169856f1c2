"""Running several classifiers over the same labelled samples.

Every sample is decoded once and given to all models. Whoever does the work - this process, others
beside it, a cluster - takes chunks of samples; what comes back is put together by position, so the
figures do not depend on who computed what, or how often.
"""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.evaluation import cluster, local, metrics
from tflite_eq.evaluation.classifier import input_shape
from tflite_eq.evaluation.labels import LabelledSet
from tflite_eq.evaluation.predictions import Predictions
from tflite_eq.evaluation.team import Chunks, NamedModel, Plan, Product, Rows, Task, Team
from tflite_eq.graph.outputs import logits_view
from tflite_eq.progress import track
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime

_CHUNK = 16  # samples per task: enough to hide its cost, few enough to share the work evenly


class Engine(enum.Enum):
    """Who does the work."""

    LOCAL = "local"  # processes of this machine
    RAY = "ray"  # a Ray cluster


@dataclasses.dataclass(frozen=True)
class ModelResult:
    """What was measured of one model.

    Attributes:
        name: As given.
        size_bytes: Size of the file.
        is_reference: Whether the other models were compared with this one.
        metrics: The figures.
    """

    name: str
    size_bytes: int
    is_reference: bool
    metrics: metrics.Metrics

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "size_bytes": self.size_bytes,
            "is_reference": self.is_reference,
            **self.metrics.to_dict(),
        }


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Outcome of one evaluation.

    Attributes:
        models: The reference first, if there is one, then the models in the order given.
        runtime: Name and version of the TFLite runtime.
        kernels: What it computed with.
        preprocessing: What pixels went through.
    """

    models: tuple[ModelResult, ...]
    runtime: str
    kernels: Kernels
    preprocessing: Preprocessing

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "runtime": self.runtime,
            "kernels": self.kernels.value,
            "preprocessing": self.preprocessing.to_dict(),
            "models": [model.to_dict() for model in self.models],
        }


def evaluate(
    models: Sequence[NamedModel],
    dataset: LabelledSet,
    preprocessing: Preprocessing,
    *,
    reference: NamedModel | Predictions | None = None,
    kernels: Kernels = Kernels.DEFAULT,
    runtime: Runtime | None = None,
    num_workers: int | None = 1,
    engine: Engine = Engine.LOCAL,
    ray_address: str | None = None,
) -> Evaluation:
    """Measure classifiers on labelled samples.

    A final softmax is left out: figures are those of the logits. int8 and uint8 inputs are
    quantized with the input's own scale and zero point, such outputs are dequantized.

    Args:
        models: What to measure; input sizes may differ.
        dataset: Samples and their classes.
        preprocessing: The same for all models.
        reference: Float model to compare with, measured as well; or what ``predict`` gave for it
            on the same samples, which saves running it again and gives the same figures.
        kernels: What the runtime computes with.
        runtime: Where models run; default the preferred one.
        num_workers: Processes to use at once; 1 stays in this one if the engine is local. None
            takes one per core, of the machine or of the cluster.
        engine: Who does the work. On a cluster, every machine needs this package, the same
            runtime, and the samples' files under the same path.
        ray_address: Address of a running Ray cluster; None starts one on this machine.

    Raises:
        ModelError: A model is no classifier with one input and one output, or models differ
            in their number of classes.
        DatasetError: A sample cannot be read or a label is not a class of the models.
        BackendError: The runtime cannot run a model, or crashed.
        ConfigError: ``num_workers`` or the preprocessing is not allowed, Ray is not installed, or
            stored predictions were made otherwise.
    """
    stored = reference if isinstance(reference, Predictions) else None
    every = [*([reference] if isinstance(reference, NamedModel) else []), *models]
    if not every:
        raise ConfigError("no model to evaluate: name one with --model")
    has_reference = isinstance(reference, NamedModel)
    plan, classes = _plan(
        every, dataset, preprocessing, has_reference, Product.SCORES, kernels, runtime
    )
    if stored is not None:
        stored.check_made_with(plan.runtime.description, kernels, preprocessing, dataset.labels)
        _check_same_classes([(stored.name, stored.logits.shape[1]), (every[0].name, classes)])
    scores = _run(plan, stored, num_workers, engine, ray_address)
    sizes = [(model.name, len(model.data)) for model in every]
    if stored is not None:
        scores = np.concatenate([stored.scores[np.newaxis], scores])
        sizes.insert(0, (stored.name, stored.size_bytes))
    reference_scores = scores[0] if reference is not None else None
    results = tuple(
        ModelResult(
            name=name,
            size_bytes=size,
            is_reference=reference is not None and row == 0,
            metrics=metrics.summarize(scores[row], reference_scores),
        )
        for row, (name, size) in enumerate(sizes)
    )
    return Evaluation(results, plan.runtime.description, kernels, preprocessing)


def predict(
    model: NamedModel,
    dataset: LabelledSet,
    preprocessing: Preprocessing,
    *,
    kernels: Kernels = Kernels.DEFAULT,
    runtime: Runtime | None = None,
    num_workers: int | None = 1,
) -> Predictions:
    """Run a float model once, to compare many models with it by ``evaluate``.

    Its logits are kept in memory: 4 bytes for every class of every sample.

    Args:
        model: The float model.
        dataset: Samples and their classes.
        preprocessing: What pixels go through.
        kernels: What the runtime computes with.
        runtime: Where the model runs; default the preferred one.
        num_workers: Processes of this machine to use at once; None takes one per core.

    Raises:
        TfliteEqError: As for ``evaluate``.
    """
    plan, _ = _plan([model], dataset, preprocessing, False, Product.LOGITS, kernels, runtime)
    return Predictions(
        name=model.name,
        size_bytes=len(model.data),
        logits=_run(plan, None, num_workers)[0],
        labels=dataset.labels,
        runtime=plan.runtime.description,
        kernels=kernels,
        preprocessing=preprocessing,
    )


def available_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _plan(
    models: Sequence[NamedModel],
    dataset: LabelledSet,
    preprocessing: Preprocessing,
    has_reference: bool,
    product: Product,
    kernels: Kernels,
    runtime: Runtime | None,
) -> tuple[Plan, int]:
    """Open the samples and check everything that can be checked before the first of them.

    Returns:
        The plan and the number of classes.
    """
    opened: dict[tuple[int, ...], Samples] = {}
    shapes = []
    for model in models:
        shape = input_shape(model.data, model.name)
        try:
            samples = dataset.samples(shape, preprocessing)
        except ModelError as error:
            raise ModelError(f"{model.name}: {error}") from error
        opened.setdefault(samples.shape, samples)
        shapes.append(samples.shape)
    order = list(opened)
    plan = Plan(
        models=tuple(NamedModel(m.name, logits_view(m.data, m.name)) for m in models),
        samples=tuple(opened.values()),
        samples_of=tuple(order.index(shape) for shape in shapes),
        labels=dataset.labels,
        has_reference=has_reference,
        product=product,
        kernels=kernels,
        runtime=runtime or preferred_runtime(),
    )
    classifiers = Team(plan).classifiers
    _check_same_classes([(classifier.name, classifier.classes) for classifier in classifiers])
    dataset.check_classes(classifiers[0].classes)
    return plan, classifiers[0].classes


def _check_same_classes(found: Sequence[tuple[str, int]]) -> None:
    """Refuse models that differ in their number of classes; takes names and numbers."""
    (first, classes), *others = found
    for other, count in others:
        if count != classes:
            raise ModelError(
                f"{first} has {classes} classes, {other} has {count}; models can be compared only "
                "on the same classes"
            )


def _run(
    plan: Plan,
    stored: Predictions | None,
    num_workers: int | None,
    engine: Engine = Engine.LOCAL,
    ray_address: str | None = None,
) -> Rows:
    """What the plan asks for of all samples, [models, samples, ...]."""
    if num_workers is not None and num_workers < 1:
        raise ConfigError(f"--num_workers {num_workers}: at least one is needed")
    tasks = _tasks(len(plan.labels), stored)
    if engine is Engine.RAY:
        return _collect(plan, cluster.run(plan, tasks, num_workers, ray_address))
    if ray_address is not None:
        raise ConfigError("--ray_address goes with --engine ray; add it or leave the address out")
    return _collect(plan, local.run(plan, tasks, num_workers or available_cores()))


def _tasks(total: int, stored: Predictions | None) -> list[Task]:
    """All samples cut into chunks, each with its part of stored predictions."""
    ends = [(start, min(start + _CHUNK, total)) for start in range(0, total, _CHUNK)]
    if stored is None:
        return [Task(start, stop) for start, stop in ends]
    return [Task(start, stop, stored.logits[start:stop]) for start, stop in ends]


def _collect(plan: Plan, chunks: Chunks) -> Rows:
    """Rows of all samples, each of them written exactly once."""
    total = len(plan.labels)
    rows: Rows | None = None
    seen = np.zeros(total, np.bool_)
    description = f"Evaluating: {_CHUNK} samples at a time"
    for start, chunk in track(chunks, description, total=-(-total // _CHUNK)):
        positions = slice(start, start + chunk.shape[1])
        if seen[positions].any():
            raise AssertionError(f"samples from {start} on were counted twice")
        if rows is None:
            rows = np.zeros((len(plan.models), total, *chunk.shape[2:]), chunk.dtype)
        rows[:, positions] = chunk
        seen[positions] = True
    if rows is None or not seen.all():
        raise AssertionError(f"{np.count_nonzero(~seen)} samples were lost")
    return rows
