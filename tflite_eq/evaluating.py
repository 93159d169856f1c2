"""Accuracy of models on data in memory or in files, from Python."""

from __future__ import annotations

from collections.abc import Mapping

from tflite_eq.arguments import ModelLike, check_kind, described, given_model
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import evaluator
from tflite_eq.evaluation.evaluator import Evaluation
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.guard.validation import Validation
from tflite_eq.runtimes import Kernels

_REFERENCE = "reference"


def evaluate(
    models: Mapping[str, ModelLike],
    validation: Validation,
    *,
    reference: ModelLike | None = None,
    kernels: str = "default",
    num_workers: int | None = 1,
) -> Evaluation:
    """Measure classifiers on labelled samples, with 95 % confidence intervals.

    A final softmax is left out: figures are those of the logits.

    Args:
        models: The ``.tflite`` models, content or path, by what to call them.
        validation: Samples and their classes.
        reference: Float model to compare with, measured as well, as ``reference``.
        kernels: What computes: ``default``, ``builtin`` or ``reference``, which gives the same
            figures on every machine.
        num_workers: Processes to use at once; ``None`` takes one per core.

    Raises:
        ModelError: A model is no classifier with one input and one output, or models differ in
            their number of classes.
        DatasetError: A sample cannot be read or a label is not a class of the models.
        BackendError: The runtime cannot run a model.
        ConfigError: The samples have no labels, or an option is not allowed.

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
    if not validation.has_labels:
        raise ConfigError(
            f"validation: {validation.description} without labels, which models cannot be judged "
            "by; give labels, or compare outputs with tflite-eq evaluate --reference"
        )
    if kernels not in {one.value for one in Kernels}:
        allowed = ", ".join(one.value for one in Kernels)
        raise ConfigError(f"kernels is {described(kernels)}; choose one of {allowed}")
    named = [NamedModel(name, given_model(model, name)[0]) for name, model in models.items()]
    return evaluator.evaluate(
        named,
        validation.dataset,
        validation.preprocessing,
        reference=None if reference is None else NamedModel(_REFERENCE, given_model(reference)[0]),
        kernels=Kernels(kernels),
        num_workers=num_workers,
    )
