"""Ground truth, from files or from memory: one entry for every sample, in the samples' order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tflite_eq.data import arrays
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.tasks.base import NetworkTask
from tflite_eq.evaluation.tasks.detect import Detect
from tflite_eq.evaluation.tasks.segment import Segment
from tflite_eq.files import PathLike, exists, is_folder

# Truth of all samples, [samples] objects.
Truth = npt.NDArray[Any]

_ARRAYS = (".npy", ".npz")


def given_truth(values: Any, task: NetworkTask, names: Sequence[str]) -> Truth:
    """Truth from memory, checked.

    Args:
        values: One entry for every sample: an array [N, ...] or an iterable.
        task: What it is the truth of.
        names: What the samples are called.

    Raises:
        DatasetError: There are not as many, or one is of another kind.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise DatasetError(
            f"the ground truth is a {type(values).__name__}; give one entry for every sample, such "
            "as an array [N, ...] or a list"
        )
    given = list(values)
    if len(given) != len(names):
        raise DatasetError(
            f"{len(names)} samples but ground truth for {len(given)}; give one entry for every "
            "sample, in their order"
        )
    found = np.empty(len(given), object)
    for position, value in enumerate(given):
        try:
            found[position] = task.truth(value)
        except DatasetError as error:
            raise DatasetError(f"ground truth of {names[position]}: {error}") from error
    return found


class TruthFiles(Sequence[Any]):
    """Files with the truth of a sample each, read when they are asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Keep the paths."""
        self._files = tuple(files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: Any) -> Any:
        return _read(self._files[index])


def open_truth(path: PathLike, task: NetworkTask, names: Sequence[str]) -> Sequence[Any]:
    """What is at a path, one entry for every sample, for ``given_truth``.

    Args:
        path: A ``.npy`` file, an ``.npz`` file with one array, a folder with a file for each
            sample's, called the same but for the ending - an image or a ``.npy`` file -, or for
            detectors a JSON file with COCO's annotations.
        task: What it is the truth of.
        names: What samples are called: the paths of their files, if they have one each.

    Raises:
        DatasetError: It cannot be read, or a sample has no truth.
        ConfigError: The task takes labels.
    """
    place = Path(path)
    if not exists(place):
        raise DatasetError(
            f"{place}: no such file or folder; name the ground truth: {_forms(task)}"
        )
    if isinstance(task, Detect):
        if place.suffix.lower() != ".json":
            raise DatasetError(
                f"{place}: the ground truth of task detect is a JSON file with COCO's annotations; "
                "name one, or give boxes from Python"
            )
        return task.read_annotations(place, names)
    if task.takes_labels and is_folder(place):
        raise ConfigError(
            f"{place}: the ground truth of task {task.name} are labels; name the CSV file with "
            "--labels in place of --truth"
        )
    if is_folder(place):
        return _beside(place, names)
    if place.suffix.lower() in _ARRAYS:
        return list(_array(place))
    raise DatasetError(f"{place}: is no ground truth of task {task.name}; name {_forms(task)}")


def check_geometry(task: NetworkTask, path: PathLike, resize: str, names: Sequence[str]) -> None:
    """Refuse truth that is about whole images where models get parts of them.

    Raises:
        ConfigError: They do.
    """
    if not isinstance(task, (Detect, Segment)) or resize == "stretch":
        return
    if any(Path(name).is_file() for name in names[:1]):
        raise ConfigError(
            f"--image_resize {resize}: {path} is about whole images, and the model gets "
            f"{'parts of them' if resize == 'crop' else 'them between bars'}; give --image_resize "
            "stretch, or images and truth that are cut already, as arrays"
        )


def _forms(task: NetworkTask) -> str:
    if isinstance(task, Detect):
        return "a JSON file with COCO's annotations"
    return "a .npy or .npz file, or a folder with a file for every sample's"


def _beside(folder: Path, names: Sequence[str]) -> TruthFiles:
    """The file of a folder that is called like each sample's."""
    by_stem: dict[str, Path] = {}
    for entry in sorted(folder.rglob("*")):
        if not entry.is_file() or entry.name.startswith("."):
            continue
        if entry.stem in by_stem:
            raise DatasetError(
                f"{folder}: both {by_stem[entry.stem].name} and {entry.name} are called like one "
                "sample; keep one of them"
            )
        by_stem[entry.stem] = entry
    found = []
    for name in names:
        stem = Path(name).stem
        if stem not in by_stem:
            raise DatasetError(
                f"{folder}: no file there is called {stem}.*, like the sample {name}; add it, or "
                "leave the sample out"
            )
        found.append(by_stem[stem])
    return TruthFiles(found)


def _read(path: Path) -> npt.NDArray[Any]:
    if path.suffix.lower() in _ARRAYS:
        return _array(path)
    try:
        with Image.open(path) as image:
            return np.asarray(image)  # of a palette the numbers, which are classes
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{path}: cannot be read as an image or a NumPy file ({error}); replace it"
        ) from error


def _array(path: Path) -> npt.NDArray[Any]:
    infos = arrays.list_arrays(path)
    if len(infos) != 1:
        found = "; ".join(str(info) for info in infos) or "no arrays"
        raise DatasetError(
            f"{path}: which array is the ground truth is not said; found {found}; keep it in a "
            "file of its own"
        )
    return arrays.read_array(infos[0])
