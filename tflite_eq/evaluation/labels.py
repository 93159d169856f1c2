"""Labelled samples: a folder of images or recordings with a CSV file, or one ``.npz`` with both."""

from __future__ import annotations

import abc
import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tflite_eq.data import arrays
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.readers import ArraySamples
from tflite_eq.data.samples import Samples, UnbatchedSamples
from tflite_eq.data.sources import choose, find_samples_array, read_files
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.files import PathLike, exists, is_file, is_folder
from tflite_eq.graph.inputs import ModelInput

FILE_COLUMN = "file"
DEFAULT_LABEL_COLUMN = "label"
_LIMIT_SEED = 0


class LabelledSet(abc.ABC):
    """Samples whose right classes are known.

    Attributes:
        labels: Class of every sample, counted from 0.
    """

    labels: tuple[int, ...]

    @abc.abstractmethod
    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        """The samples as input for a model, in the order of ``labels``."""

    @abc.abstractmethod
    def where(self, index: int) -> str:
        """Where the label of sample ``index`` is written, for messages."""

    def check_classes(self, classes: int) -> None:
        """Make sure that a model with ``classes`` outputs can be judged by these labels.

        Raises:
            DatasetError: A label is outside [0, classes).
        """
        for index, label in enumerate(self.labels):
            if not 0 <= label < classes:
                raise DatasetError(
                    f"{self.where(index)}: label {label} is outside 0..{classes - 1}, the classes "
                    "of the model; labels count from 0, so shift them or choose another column "
                    "with --label_column"
                )


class LabelledFiles(LabelledSet):
    """Images, or recordings of one window each, listed in a CSV file."""

    def __init__(
        self, files: Sequence[Path], labels: Sequence[int], lines: Sequence[int], origin: Path
    ) -> None:
        """Keep paths and labels, with the CSV line each comes from."""
        self.labels = tuple(labels)
        self._files = tuple(files)
        self._lines = tuple(lines)
        self._origin = origin

    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        """What is in the files, decoded on access.

        Raises:
            DatasetError: A file holds several samples.
        """
        samples = read_files(self._files, ModelInput.of_shape(input_shape), preprocessing)
        if len(samples) != len(self._files):
            raise DatasetError(
                f"{self._origin}: the {len(self._files)} files hold {len(samples)} samples of the "
                f"model's input {list(input_shape)}, but a label is for one; cut the files"
            )
        return samples

    def where(self, index: int) -> str:
        """CSV file and line."""
        return f"{self._origin}, line {self._lines[index]}"


class LabelledArrays(LabelledSet):
    """An array of samples and one of labels in the same ``.npz`` file."""

    def __init__(self, path: Path, info: arrays.ArrayInfo, limit: int | None) -> None:
        """Read the labels.

        Args:
            path: The file.
            info: The label array in it.
            limit: Use at most so many samples.

        Raises:
            DatasetError: The labels cannot be read or are empty.
        """
        stored = arrays.read_array(info).reshape(-1)
        if not stored.size:
            raise DatasetError(f"{info.where}: holds no labels")
        self._path = path
        self._info = info
        self._total = int(stored.size)
        self._indices = choose(self._total, limit or self._total, _LIMIT_SEED)
        self.labels = tuple(int(stored[index]) for index in self._indices)

    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        """The rows of the array that fits the model's input.

        Raises:
            DatasetError: No array fits, or it has another length than the labels.
        """
        taker = ModelInput.of_shape(input_shape)
        info = find_samples_array(self._path, taker)
        samples = ArraySamples([info], taker, preprocessing)
        total = len(samples)
        if total != self._total:
            raise DatasetError(
                f"{self._path}: {total} samples in {info.key!r} but {self._total} labels in "
                f"{self._info.key!r}; store one label per sample"
            )
        return samples.select(self._indices)

    def where(self, index: int) -> str:
        """File, array and position."""
        return f"{self._info.where} position {self._indices[index]}"


class LabelledSamples(LabelledSet):
    """Samples that fit the models, with the class of each."""

    def __init__(self, samples: Samples, labels: Sequence[int]) -> None:
        """Keep both.

        Raises:
            DatasetError: There are not as many labels as samples.
        """
        if len(labels) != len(samples):
            raise DatasetError(
                f"{len(samples)} samples but {len(labels)} labels; give one label per sample"
            )
        self.labels = tuple(labels)
        self._samples = samples

    def samples(self, input_shape: Sequence[int], preprocessing: Preprocessing) -> Samples:
        """The samples as they are, without the batch of 1 if the model has no batch dimension.

        Raises:
            ModelError: The model takes another shape.
        """
        wanted, found = ModelInput.of_shape(input_shape), self._samples.shape
        if not wanted.is_batched and found == (1, *wanted.shape):
            return UnbatchedSamples(self._samples)
        fits = len(found) == len(wanted.shape) and all(
            size in (-1, there) for size, there in zip(wanted.shape, found)
        )
        if not fits:
            raise ModelError(
                f"takes samples of shape {list(input_shape)}, these have "
                f"{list(self._samples.shape)}"
            )
        return self._samples

    def where(self, index: int) -> str:
        """Where the sample comes from."""
        return self._samples.name(index)


class Unlabelled(LabelledSamples):
    """Samples whose classes nobody knows: good for comparing models with a reference only.

    Class 0 stands in for every label, so figures that need labels mean nothing.
    """

    def __init__(self, samples: Samples) -> None:
        """Wrap samples that fit the models."""
        super().__init__(samples, (0,) * len(samples))


def holds_labels(dataset: PathLike) -> bool:
    """Whether the data set is an ``.npz`` file with an array that may be labels."""
    path = Path(dataset)
    return path.suffix.lower() == ".npz" and any(
        _may_be_labels(info) for info in arrays.list_arrays(path)
    )


def open_labelled(
    dataset: PathLike,
    labels: PathLike | None = None,
    label_column: str | None = None,
    limit: int | None = None,
) -> LabelledSet:
    """Open data to evaluate on.

    Args:
        dataset: A folder of images, or an ``.npz`` file with an array of samples and an integer
            array of labels.
        labels: For a folder: a CSV file with a column ``file``, relative to the folder, and a
            column of labels. Other columns are ignored, as are rows without a label.
        label_column: Column of the CSV file or array of the ``.npz`` file that holds the
            labels; default ``label``, or the one integer array of the ``.npz`` file.
        limit: Use at most so many samples, the same random ones every time.

    Raises:
        DatasetError: The data or labels are missing, unreadable or of the wrong form.
        ConfigError: The arguments contradict each other.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit {limit}: at least one sample is needed")
    source = Path(dataset)
    if not exists(source):
        raise DatasetError(
            f"{source}: no such file or folder; name a folder of images or an .npz file"
        )
    if is_folder(source):
        if labels is None:
            raise ConfigError(
                f"{source} is a folder of images: name the CSV file with their classes with "
                "--labels"
            )
        return _open_images(source, Path(labels), label_column or DEFAULT_LABEL_COLUMN, limit)
    if source.suffix.lower() != ".npz":
        raise DatasetError(
            f"{source}: evaluating needs a folder of images or an .npz file with images and labels"
        )
    if labels is not None:
        raise ConfigError(
            f"{source} holds its own labels: leave out --labels, or choose among its integer "
            "arrays with --label_column"
        )
    return LabelledArrays(source, _find_label_array(source, label_column), limit)


def _open_images(folder: Path, origin: Path, column: str, limit: int | None) -> LabelledFiles:
    rows = list(_read_csv(origin, column))
    if not rows:
        raise DatasetError(f"{origin}: no row has a label in column {column!r}")
    first_line: dict[str, int] = {}
    for line, name, _ in rows:
        earlier = first_line.setdefault(os.path.normpath(name), line)
        if earlier != line:
            raise DatasetError(
                f"{origin}, line {line}: {name!r} is listed a second time (first in line "
                f"{earlier}); remove one of the rows"
            )
    chosen = [rows[index] for index in choose(len(rows), limit or len(rows), _LIMIT_SEED)]
    for line, name, _ in chosen:
        if not is_file(folder / name):
            raise DatasetError(
                f"{origin}, line {line}: no such image {folder / name}; files are relative to "
                f"{folder}"
            )
    return LabelledFiles(
        [folder / name for _, name, _ in chosen],
        [label for _, _, label in chosen],
        [line for line, _, _ in chosen],
        origin,
    )


def _read_csv(path: Path, column: str) -> Iterator[tuple[int, str, int]]:
    """Line number, file and label of every row that has a label."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for needed in (FILE_COLUMN, column):
                if needed not in (reader.fieldnames or ()):
                    raise DatasetError(
                        f"{path}: has no column {needed!r}; the first line must name the columns, "
                        f"found {list(reader.fieldnames or ())}"
                    )
            for row in reader:
                text = (row[column] or "").strip()
                if text:
                    where = f"{path}, line {reader.line_num}"
                    yield reader.line_num, _file(row[FILE_COLUMN], where), _label(text, where)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; name the CSV file with the labels") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({error})") from error


def _file(text: str | None, where: str) -> str:
    name = (text or "").strip()
    if not name:
        raise DatasetError(f"{where}: has a label but no file name")
    return name


def _label(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise DatasetError(
            f"{where}: label {text!r} is not an integer; labels are class numbers from 0"
        ) from None


def _find_label_array(path: Path, name: str | None) -> arrays.ArrayInfo:
    infos = arrays.list_arrays(path)
    found = "; ".join(str(info) for info in infos) or "no arrays"
    fitting = [info for info in infos if _may_be_labels(info)]
    if name is not None:
        fitting = [info for info in fitting if info.key == name]
    if len(fitting) > 1:
        fitting = [i for i in fitting if i.key in ("label", "labels")] or fitting
    if not fitting:
        wanted = "integer array" if name is None else f"integer array {name!r}"
        raise DatasetError(f"{path}: has no one-dimensional {wanted} of labels; found {found}")
    if len(fitting) > 1:
        raise DatasetError(
            f"{path}: several arrays may be the labels; choose one with --label_column; "
            f"found {found}"
        )
    return fitting[0]


def _may_be_labels(info: arrays.ArrayInfo) -> bool:
    one_per_row = len(info.shape) == 1 or (len(info.shape) == 2 and info.shape[1] == 1)
    return one_per_row and np.issubdtype(info.dtype, np.integer)
