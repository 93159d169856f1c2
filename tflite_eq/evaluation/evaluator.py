"""Running several classifiers over the same labelled samples.

Every sample is decoded once and given to all models. Worker processes take chunks of
samples; what they return is put together by position, so the figures do not depend on how
many there are. Workers are spawned, not forked: a fork would inherit the runtime's locks.
A script that calls ``evaluate`` with several workers therefore needs the usual
``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import Samples
from tflite_eq.errors import BackendError, ConfigError, ModelError
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.classifier import Classifier, input_shape
from tflite_eq.evaluation.labels import LabelledSet
from tflite_eq.graph.outputs import logits_view
from tflite_eq.progress import track
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime

_CHUNK = 16  # samples per task: enough to hide its cost, few enough to share the work evenly


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
    reference: NamedModel | None = None,
    kernels: Kernels = Kernels.DEFAULT,
    runtime: Runtime | None = None,
    num_workers: int = 1,
) -> Evaluation:
    """Measure classifiers on labelled samples.

    A final softmax is left out: figures are those of the logits. int8 and uint8 inputs are
    quantized with the input's own scale and zero point, such outputs are dequantized.

    Args:
        models: What to measure; input sizes may differ.
        dataset: Samples and their classes.
        preprocessing: The same for all models.
        reference: Float model to compare with; measured as well.
        kernels: What the runtime computes with.
        runtime: Where models run; default the preferred one.
        num_workers: Processes to use; 1 stays in this one.

    Raises:
        ModelError: A model is no classifier with one input and one output, or models differ
            in their number of classes.
        DatasetError: A sample cannot be read or a label is not a class of the models.
        BackendError: The runtime cannot run a model, or crashed.
        ConfigError: ``num_workers`` or the preprocessing is not allowed.
    """
    if num_workers < 1:
        raise ConfigError(f"--num_workers {num_workers}: at least one is needed")
    every = [*([reference] if reference is not None else []), *models]
    if not every:
        raise ConfigError("no model to evaluate: name one with --model")
    plan = _plan(every, dataset, preprocessing, reference is not None, kernels, runtime)
    scores = _run(plan, num_workers)
    reference_scores = scores[0] if reference is not None else None
    results = tuple(
        ModelResult(
            name=model.name,
            size_bytes=len(model.data),
            is_reference=reference is not None and row == 0,
            metrics=metrics.summarize(scores[row], reference_scores),
        )
        for row, model in enumerate(every)
    )
    name = f"{plan.runtime.name} {plan.runtime.version}"
    return Evaluation(results, name, kernels, preprocessing)


def available_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class _Plan:
    """All that a process needs; small or memory-mapped apart from the models."""

    models: tuple[NamedModel, ...]
    samples: tuple[Samples, ...]
    samples_of: tuple[int, ...]  # by model: which samples fit its input
    labels: tuple[int, ...]
    has_reference: bool
    kernels: Kernels
    runtime: Runtime


class _Team:
    """All models loaded in one process."""

    def __init__(self, plan: _Plan) -> None:
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


def _plan(
    models: Sequence[NamedModel],
    dataset: LabelledSet,
    preprocessing: Preprocessing,
    has_reference: bool,
    kernels: Kernels,
    runtime: Runtime | None,
) -> _Plan:
    """Open the samples and check everything that can be checked before the first of them."""
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
    plan = _Plan(
        models=tuple(NamedModel(m.name, logits_view(m.data, m.name)) for m in models),
        samples=tuple(opened.values()),
        samples_of=tuple(order.index(shape) for shape in shapes),
        labels=dataset.labels,
        has_reference=has_reference,
        kernels=kernels,
        runtime=runtime or preferred_runtime(),
    )
    classifiers = _Team(plan).classifiers
    first = classifiers[0]
    for other in classifiers[1:]:
        if other.classes != first.classes:
            raise ModelError(
                f"{first.name} has {first.classes} classes, {other.name} has {other.classes}; "
                "models can be compared only on the same classes"
            )
    dataset.check_classes(first.classes)
    return plan


def _run(plan: _Plan, num_workers: int) -> metrics.Scores:
    """Scores of all samples, shape [models, samples]."""
    total = len(plan.labels)
    starts = range(0, total, _CHUNK)
    scores = np.zeros((len(plan.models), total), metrics.SCORE)
    workers = min(num_workers, len(starts))
    chunks = _in_process(plan, starts) if workers == 1 else _in_workers(plan, starts, workers)
    description = f"Evaluating: {_CHUNK} samples at a time"
    for start, chunk in track(zip(starts, chunks), description, total=len(starts)):
        scores[:, start : start + chunk.shape[1]] = chunk
    return scores


def _in_process(plan: _Plan, starts: range) -> Iterator[metrics.Scores]:
    team = _Team(plan)
    for start in starts:
        yield team.score(start, min(start + _CHUNK, len(plan.labels)))


def _in_workers(plan: _Plan, starts: range, workers: int) -> Iterator[metrics.Scores]:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(plan,),
    )
    try:
        stops = (min(start + _CHUNK, len(plan.labels)) for start in starts)
        futures = [pool.submit(_score_in_worker, *ends) for ends in zip(starts, stops)]
        for future in futures:
            yield future.result()
    except BrokenProcessPool as error:
        raise BackendError(
            f"a worker process died while {plan.runtime.name} {plan.runtime.version} was running "
            "the models, from a crash in the runtime or for lack of memory; try --num_workers 1, "
            "or --kernels reference"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_team: _Team | None = None  # of this worker process


def _start_worker(plan: _Plan) -> None:
    global _team
    with contextlib.suppress(ValueError):  # Ctrl-C is the parent's to handle
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _team = _Team(plan)


def _score_in_worker(start: int, stop: int) -> metrics.Scores:
    assert _team is not None
    return _team.score(start, stop)
