"""What a model must keep to, and the data that tell whether it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.arguments import ModelLike, check_kind, check_path, given_model, is_number
from tflite_eq.data.memory import MemorySamples
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.data.sources import open_data
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.labels import (
    LabelledSamples,
    LabelledSet,
    Unlabelled,
    holds_labels,
    open_labelled,
)
from tflite_eq.evaluation.layerwise import ComparisonSet, is_classifier
from tflite_eq.files import PathLike
from tflite_eq.graph.inputs import ModelInput, model_inputs
from tflite_eq.graph.model import Graph


@dataclasses.dataclass(frozen=True)
class Validation:
    """Samples that calibration must not have seen, with their classes if they are known.

    Attributes:
        dataset: The samples.
        preprocessing: What pixels go through.
        has_labels: Whether their classes are known.
        description: What they are, for people.

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

    def __post_init__(self) -> None:
        """Refuse what holds no samples.

        Raises:
            ConfigError: The data set or the preprocessing is of another type.
        """
        remedy = "make one with Validation.from_arrays or Validation.from_files"
        check_kind(self.dataset, LabelledSet, "validation", remedy)
        check_kind(self.preprocessing, Preprocessing, "preprocessing", remedy)

    @classmethod
    def from_arrays(cls, samples: Any, labels: Sequence[int] | None = None) -> Validation:
        """Samples in memory, as the model takes them.

        Args:
            samples: Float array [N, ...], or N arrays of the input's shape with a batch of 1.
            labels: N classes, counted from 0.

        Raises:
            DatasetError: There are no samples, they differ in shape or are not finite, there is
                another number of labels, or these are no whole numbers.
        """
        held = MemorySamples(samples)
        description = f"{len(held)} samples"
        if labels is None:
            return cls(Unlabelled(held), Preprocessing(), False, description)
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
        return open_validation(
            Graph.from_bytes(content, origin), data, labels, label_column, preprocessing
        )

    def comparison(self, model: bytes) -> ComparisonSet:
        """The same for the report on a float model."""
        graph = Graph.from_bytes(model)
        samples = self.dataset.samples(_input(graph).shape, self.preprocessing)
        labels = self.dataset.labels if self.has_labels else None
        return ComparisonSet(samples, self.description, labels)


@dataclasses.dataclass(frozen=True)
class Guard:
    """A bound on what a quantized model may lose.

    Attributes:
        max_drop: Largest loss allowed against the float model, in percentage points of top-1, or
            of agreement if classes are not known.
        validation: What it is measured on.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> guard = tflite_eq.Guard(0.5, tflite_eq.Validation.from_arrays(samples[50:]))
        >>> guard.measure
        'disagreement'
    """

    max_drop: float
    validation: Validation

    def __post_init__(self) -> None:
        """Refuse bounds that mean nothing.

        Raises:
            ConfigError: The bound is negative, above 100, or no number.
        """
        check_bound(self.max_drop)
        remedy = "make one with Validation.from_arrays or Validation.from_files"
        check_kind(self.validation, Validation, "validation", remedy)

    @property
    def measure(self) -> str:
        """Name of the figure that the bound is about."""
        return "top-1 drop" if self.validation.has_labels else "disagreement"


def check_bound(max_drop: float) -> None:
    """Refuse bounds that mean nothing.

    Raises:
        ConfigError: It is negative, above 100, or no number.
    """
    if not (is_number(max_drop) and 0 <= max_drop <= 100):
        raise ConfigError(
            f"--max_drop {max_drop}: must be percentage points from 0 to 100, such as 0.5"
        )


def check_guard(guard: Any) -> None:
    """Refuse what is no bound on validation data.

    Raises:
        ConfigError: It is something else than a ``Guard``.
    """
    bound = guard if is_number(guard) else 0.5
    remedy = f"give tflite_eq.Guard(max_drop={bound}, validation=...)"
    check_kind(guard, Guard, "guard", remedy)


def open_validation(
    graph: Graph,
    data: PathLike,
    labels: PathLike | None,
    label_column: str | None,
    preprocessing: Preprocessing,
) -> Validation:
    """Open validation data for a float network, see ``Validation.from_files``.

    Raises:
        TfliteEqError: The data or labels are missing, unreadable or of the wrong form.
    """
    taker = _input(graph)
    if labels is not None or (holds_labels(data) and is_classifier(graph)):
        labelled = open_labelled(data, labels, label_column)
        labelled.check_classes(graph.tensors[graph.outputs[0]].shape[-1])
        samples = labelled.samples(taker.shape, preprocessing)
        description = f"{len(samples)} labelled samples of {data}"
        return Validation(labelled, preprocessing, True, description)
    if label_column is not None:
        raise ConfigError(
            f"--label_column {label_column}: there are no labels; name a CSV file with --labels, "
            "or an .npz file that holds them with --validation"
        )
    opened = open_data([data], [taker], preprocessing, "--validation")
    assert isinstance(opened, Samples)
    description = f"{len(opened)} samples of {data}"
    return Validation(Unlabelled(opened), preprocessing, False, description)


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
