"""The data that tell whether a model keeps to a bound, with what is expected of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tflite_eq.arguments import ModelLike, check_kind, check_path, given_model
from tflite_eq.data.memory import MemorySamples
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import JoinedSamples, Samples
from tflite_eq.data.sources import located, open_data
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.comparison_plan import InputSamples
from tflite_eq.evaluation.labels import (
    LabelledSamples,
    LabelledSet,
    Unlabelled,
    holds_labels,
    open_labelled,
)
from tflite_eq.evaluation.layerwise import ComparisonSet, is_classifier
from tflite_eq.evaluation.tasks.base import NetworkTask
from tflite_eq.evaluation.tasks.own import Own
from tflite_eq.evaluation.tasks.registry import Judge
from tflite_eq.evaluation.tasks.registry import judge as judge_of
from tflite_eq.evaluation.truth import Truth, check_geometry, given_truth, open_truth
from tflite_eq.files import PathLike
from tflite_eq.graph.inputs import ModelInput, model_inputs
from tflite_eq.graph.model import Graph

_OPTION = "--validation"


@dataclasses.dataclass(frozen=True)
class Validation:
    """Samples that calibration must not have seen, with what is expected of them if it is known.

    Attributes:
        dataset: The samples.
        preprocessing: What pixels go through.
        has_labels: Whether their classes are known.
        description: What they are, for people.
        truth: What a task expects: one entry for every sample, or a path of such; ``None`` if that
            is not known.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> validation = tflite_eq.Validation.from_arrays(samples[50:])
        >>> validation.description, validation.has_labels
        ('150 samples', False)
    """

    dataset: LabelledSet
    preprocessing: Preprocessing
    has_labels: bool
    description: str
    truth: Any = None

    def __post_init__(self) -> None:
        """Refuse what holds no samples.

        Raises:
            ConfigError: The data set or the preprocessing is of another type.
        """
        remedy = "make one with Validation.from_arrays or Validation.from_files"
        check_kind(self.dataset, LabelledSet, "validation", remedy)
        check_kind(self.preprocessing, Preprocessing, "preprocessing", remedy)

    @classmethod
    def from_arrays(
        cls, samples: Any, labels: Sequence[int] | None = None, *, truth: Any = None
    ) -> Validation:
        """Samples in memory, as the model takes them.

        Args:
            samples: Float array [N, ...], or N arrays of the input's shape with a batch of 1; for a
                model with several inputs a dict of these by their names.
            labels: N classes, counted from 0.
            truth: What a task expects of N samples, see docs/tasks.md: masks, boxes, points,
                identities or images.

        Raises:
            DatasetError: There are no samples, they differ in shape or are not finite, there is
                another number of labels, or these are no whole numbers.
            ConfigError: Both labels and truth are given.
        """
        if labels is not None and truth is not None:
            raise ConfigError(
                "both labels and truth are given; give labels to classifiers, and truth to any "
                "other task"
            )
        if isinstance(samples, Mapping):
            joined = JoinedSamples({name: MemorySamples(one) for name, one in samples.items()})
            several = SeveralInputs(joined)
            return cls(several, Preprocessing(), False, f"{len(joined)} samples", truth)
        held = MemorySamples(samples)
        description = f"{len(held)} samples"
        if labels is None:
            return cls(Unlabelled(held), Preprocessing(), False, description, truth)
        try:
            classes = np.asarray(labels).reshape(-1)
        except ValueError as error:
            raise DatasetError("the labels are no array; give one class number a sample") from error
        if classes.dtype.kind not in "iu":
            raise DatasetError(
                f"the labels have element type {classes.dtype.name}; give class numbers from 0, "
                "as integers"
            )
        dataset = LabelledSamples(held, classes.tolist())
        return cls(dataset, Preprocessing(), True, f"{len(held)} labelled samples")

    @classmethod
    def from_files(
        cls,
        model: ModelLike,
        data: PathLike,
        labels: PathLike | None = None,
        *,
        label_column: str | None = None,
        truth: Any = None,
        task: str | None = None,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        resize: str = "crop",
        order: str = "rgb",
        exif: str = "apply",
        audio_rate: int | None = None,
    ) -> Validation:
        """Images or arrays in files, read when they are needed.

        Args:
            model: The float ``.tflite`` they are for, content or path, with one input.
            data: Folder of images or recordings, text list of them, ``.npy`` or ``.npz`` file. An
                ``.npz`` file may hold an integer array of labels.
            labels: For a folder: CSV file with the columns ``file`` and ``label``. Images that it
                does not name are left out.
            label_column: Another column of the CSV file, or an array of the ``.npz`` file.
            truth: What a task expects, as a path or one entry for every sample, see docs/tasks.md.
            task: What labels are for, where they are no classes: ``embed``.
            mean: Subtracted from pixels; one number, or one per channel.
            std: Divides them afterwards.
            resize: ``crop``, ``stretch`` or ``letterbox``.
            order: ``rgb`` or ``bgr``.
            exif: ``apply`` or ``ignore``.
            audio_rate: Samples per second that recordings must have.

        Raises:
            TfliteEqError: The data or labels are missing, unreadable or of the wrong form.
        """
        content, origin = given_model(model)
        for name, path in (("data", data), ("labels", labels)):
            check_path(path, name)
        try:
            preprocessing = Preprocessing.from_plain(
                {
                    "mean": _numbers("mean", mean),
                    "std": _numbers("std", std),
                    "resize": resize,
                    "order": order,
                    "exif": exif,
                    "audio_rate": audio_rate,
                }
            )
        except ValueError as error:
            raise ConfigError(f"{error}; see Validation.from_files for what is allowed") from error
        judge = None if task is None else judge_of(task)
        return open_validation(
            Graph.from_bytes(content, origin),
            [data],
            labels,
            label_column,
            preprocessing,
            judge=judge,
            truth=truth,
        )

    def inputs(self, graph: Graph) -> InputSamples:
        """The samples for all inputs of a network.

        Raises:
            TfliteEqError: They do not fit.
        """
        if isinstance(self.dataset, SeveralInputs):
            return self.dataset.joined
        return self.dataset.samples(_input(graph).shape, self.preprocessing)

    def expected(self, task: NetworkTask, samples: InputSamples) -> Truth | None:
        """What a task expects of the samples; ``None`` if it is not known.

        Raises:
            TfliteEqError: It is of another kind, or does not fit the samples.
        """
        names = [samples.name(index) for index in range(len(samples))]
        values = self.truth
        if values is None and self.has_labels:
            if not task.takes_labels and not isinstance(task, Own):
                raise ConfigError(
                    f"the validation data have labels, and task {task.name} expects "
                    f"{task.takes_truth}; give that as truth, or leave the labels out"
                )
            values = self.dataset.labels
        if values is None:
            return None
        if isinstance(values, (str, os.PathLike)):
            check_geometry(task, values, self.preprocessing.resize.value, names)
            values = open_truth(values, task, names)
        return given_truth(values, task, names)

    def comparison(self, model: bytes) -> ComparisonSet:
        """The same for the report on a float model."""
        samples = self.inputs(Graph.from_bytes(model))
        labels = self.dataset.labels if self.has_labels else None
        return ComparisonSet(samples, self.description, labels)


class SeveralInputs(LabelledSet):
    """Samples of a model with several inputs, which have no classes."""

    def __init__(self, joined: JoinedSamples) -> None:
        """Keep them."""
        self.joined = joined
        self.labels = (0,) * len(joined)

    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        """There are none for one input.

        Raises:
            ModelError: Always.
        """
        raise ModelError(
            f"takes samples of shape {list(input_shape)}, these are for several inputs; name the "
            "task of the model: --task, or Guard(..., task=...)"
        )

    def where(self, index: int) -> str:
        """Where the sample comes from."""
        return self.joined.name(index)


def open_validation(
    graph: Graph,
    data: Sequence[PathLike],
    labels: PathLike | None,
    label_column: str | None,
    preprocessing: Preprocessing,
    *,
    judge: Judge | None = None,
    truth: Any = None,
) -> Validation:
    """Open validation data for a float network, see ``Validation.from_files``.

    Args:
        graph: The network.
        data: As for ``open_data``.
        labels: See there, like all that is not explained.
        label_column: See there.
        preprocessing: What pixels go through.
        judge: What the network is judged by; ``None`` for classes.
        truth: See there.

    Raises:
        TfliteEqError: The data or labels are missing, unreadable or of the wrong form.
    """
    is_labelled = labels is not None or label_column is not None
    if is_labelled and truth is not None:
        raise ConfigError(
            "both --labels and --truth are given; give labels to classifiers and embeddings, and "
            "truth to any other task"
        )
    takes_labels = is_classifier(graph) if judge is None else judge.task.takes_labels
    if truth is None and len(graph.inputs) == 1 and len(data) == 1:
        (path,) = [place.path for place in located(data, model_inputs(graph), _OPTION).values()]
        if labels is not None or (takes_labels and holds_labels(path)):
            return _labelled(graph, path, labels, label_column, preprocessing, judge)
    if is_labelled:
        raise ConfigError(
            f"--label_column {label_column}: there are no labels; name a CSV file with --labels, "
            "or an .npz file that holds them with --validation"
            if labels is None
            else f"--labels {labels}: {graph.origin} has {len(graph.inputs)} inputs, and labels "
            "are for the samples of one; give --truth in place of them"
        )
    opened = open_data(data, model_inputs(graph), preprocessing, _OPTION)
    description = f"{len(opened)} samples of {', '.join(map(str, data))}"
    dataset = Unlabelled(opened) if isinstance(opened, Samples) else SeveralInputs(opened)
    return Validation(dataset, preprocessing, False, description, truth)


def _labelled(
    graph: Graph,
    path: PathLike,
    labels: PathLike | None,
    label_column: str | None,
    preprocessing: Preprocessing,
    judge: Judge | None,
) -> Validation:
    """Samples with a whole number each: a class, or what the task takes it for."""
    dataset = open_labelled(path, labels, label_column)
    are_classes = judge is None or judge.is_of_classes()
    if are_classes:
        dataset.check_classes(graph.tensors[graph.outputs[0]].shape[-1])
    samples = dataset.samples(_input(graph).shape, preprocessing)
    description = f"{len(samples)} labelled samples of {path}"
    truth = None if are_classes else dataset.labels
    return Validation(dataset, preprocessing, are_classes, description, truth)


def _numbers(name: str, value: Any) -> list[float]:
    """One number or several, as ``Preprocessing`` takes them."""
    try:
        return list(np.atleast_1d(np.asarray(value, float)).ravel().tolist())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} is {value!r}; give one number, or one per channel") from error


def _input(graph: Graph) -> ModelInput:
    if len(graph.inputs) != 1:
        raise DatasetError(
            f"{graph.origin}: has {len(graph.inputs)} inputs; validation data are for models with "
            "one"
        )
    return model_inputs(graph)[0]
