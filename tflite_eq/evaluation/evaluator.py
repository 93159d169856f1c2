"""Running several classifiers over the same labelled samples.

Every sample is decoded once and given to all models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.evaluation import dispatch, metrics
from tflite_eq.evaluation.classifier import input_of
from tflite_eq.evaluation.dispatch import Engine, Workforce
from tflite_eq.evaluation.ends import with_known_sizes
from tflite_eq.evaluation.label_plan import LabelPlan, LoadedClassifiers, ResultKind
from tflite_eq.evaluation.labels import LabelledSet
from tflite_eq.evaluation.predictions import Predictions
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.outputs import logits_view
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime


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
        classes: Number of classes they tell apart.
        runtime: Name and version of the TFLite runtime.
        kernels: What it computed with.
        preprocessing: What pixels went through.

    Example:
        >>> import numpy as np, tflite_eq
        >>> net, data = "net_float.tflite", np.load("validation.npz")
        >>> validation = tflite_eq.Validation.from_arrays(data["samples"], data["labels"])
        >>> found = tflite_eq.evaluate({"int8": "net_int8.tflite"}, validation, reference=net)
        >>> isinstance(found, tflite_eq.Evaluation)
        True
        >>> [model.name for model in found.models], found.classes
        (['reference', 'int8'], 10)
    """

    models: tuple[ModelResult, ...]
    classes: int
    runtime: str
    kernels: Kernels
    preprocessing: Preprocessing

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "judged_by": "labels",
            "classes": self.classes,
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
            in their number of classes. ``compare_outputs`` takes any model.
        DatasetError: A sample cannot be read or a label is not a class of the models.
        BackendError: The runtime cannot run a model, or crashed.
        ConfigError: ``num_workers`` or the preprocessing is not allowed, Ray is not installed, or
            stored predictions were made otherwise.
    """
    workforce = Workforce(num_workers, engine, ray_address)
    workforce.check()
    stored = reference if isinstance(reference, Predictions) else None
    every = [*([reference] if isinstance(reference, NamedModel) else []), *models]
    if not every:
        raise ConfigError("no model to evaluate: name one with --model")
    has_reference = isinstance(reference, NamedModel)
    plan, classes = _plan(
        every, dataset, preprocessing, has_reference, ResultKind.SCORES, kernels, runtime
    )
    if stored is not None:
        stored.check_made_with(plan.runtime.description, kernels, preprocessing, dataset.labels)
        _check_same_classes([(stored.name, stored.logits.shape[1]), (every[0].name, classes)])
    expected = None if stored is None else stored.logits
    scores = dispatch.run(plan, len(plan.labels), workforce, expected)
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
    return Evaluation(results, classes, plan.runtime.description, kernels, preprocessing)


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
    workforce = Workforce(num_workers)
    workforce.check()
    plan, _ = _plan([model], dataset, preprocessing, False, ResultKind.LOGITS, kernels, runtime)
    return Predictions(
        name=model.name,
        size_bytes=len(model.data),
        logits=dispatch.run(plan, len(plan.labels), workforce)[0],
        labels=dataset.labels,
        runtime=plan.runtime.description,
        kernels=kernels,
        preprocessing=preprocessing,
    )


def samples_for(
    models: Sequence[NamedModel], dataset: LabelledSet, preprocessing: Preprocessing
) -> list[Samples]:
    """The samples as input for each of several models.

    Raises:
        TfliteEqError: A model is no classifier with one input, or the samples do not fit it.
    """
    inputs = [input_of(model.data, model.name) for model in models]
    fitting = []
    for model, own in zip(models, inputs):
        (end,) = with_known_sizes([own], [[other] for other in inputs])
        try:
            fitting.append(dataset.samples(end.shape, preprocessing))
        except ModelError as error:
            raise ModelError(f"{model.name}: {error}") from error
    return fitting


def _plan(
    models: Sequence[NamedModel],
    dataset: LabelledSet,
    preprocessing: Preprocessing,
    has_reference: bool,
    product: ResultKind,
    kernels: Kernels,
    runtime: Runtime | None,
) -> tuple[LabelPlan, int]:
    """Open the samples and check everything that can be checked before the first of them.

    Returns:
        The plan and the number of classes.
    """
    fitting = samples_for(models, dataset, preprocessing)
    opened: dict[tuple[int, ...], Samples] = {}
    for samples in fitting:
        opened.setdefault(samples.shape, samples)
    order = list(opened)
    plan = LabelPlan(
        models=tuple(NamedModel(m.name, logits_view(m.data, m.name)) for m in models),
        samples=tuple(opened.values()),
        samples_of=tuple(order.index(samples.shape) for samples in fitting),
        labels=dataset.labels,
        has_reference=has_reference,
        product=product,
        kernels=kernels,
        runtime=runtime or preferred_runtime(),
    )
    classifiers = LoadedClassifiers(plan).classifiers
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
