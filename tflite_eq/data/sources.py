"""Calibration data from whatever the user has: a folder, a list of images, NumPy arrays.

Nothing is read before it is asked for, except file headers: a mistake in a path or a shape
is reported at once, a broken image when its turn comes.
"""

from __future__ import annotations

import abc
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data import arrays, images
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.files import PathLike, exists, is_file, is_folder


class Samples(abc.ABC):
    """Samples for one model input: sized, indexable, iterable again and again, picklable.

    Attributes:
        shape: Shape of every sample, [1, ...].
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        """Read sample ``index``, in [0, len): finite float32 values of shape ``self.shape``.

        Raises:
            DatasetError: The sample cannot be read or holds NaN or infinity.
        """

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """Where sample ``index`` comes from, for messages."""

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        return (self[index] for index in range(len(self)))


class ImageSamples(Samples):
    """Image files, decoded and normalised on access."""

    def __init__(
        self, files: Sequence[Path], input_shape: Sequence[int], preprocessing: Preprocessing
    ) -> None:
        """Keep the paths; no file is opened.

        Args:
            files: Image files.
            input_shape: Shape of the model's input, [1, height, width, 1 or 3].
            preprocessing: Applied to every pixel.

        Raises:
            DatasetError: The model's input is not an image.
            ConfigError: The preprocessing does not fit the number of channels.
        """
        self.shape = (1, *sample_shape(input_shape))
        if len(self.shape) != 4 or self.shape[3] not in (1, 3):
            raise DatasetError(
                f"the model's input {list(input_shape)} does not take images, which need "
                "[batch, height, width, 1 or 3 channels]; pass the data as a .npy or .npz file"
            )
        preprocessing.check_channels(self.shape[3])
        self._files = tuple(files)
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        pixels = images.load_pixels(self._files[index], *self.shape[1:])
        return self._preprocessing.normalize(pixels)[np.newaxis]

    def name(self, index: int) -> str:
        """Path of the image."""
        return str(self._files[index])


class ArraySamples(Samples):
    """Rows of a stored array: uint8 is normalised, float is taken as it is."""

    def __init__(
        self,
        info: arrays.ArrayInfo,
        indices: Sequence[int],
        input_shape: Sequence[int],
        preprocessing: Preprocessing,
    ) -> None:
        """Keep the header; no data are read.

        Args:
            info: The stored array, whose trailing shape is the model's input.
            indices: Which samples to use, ascending for speed.
            input_shape: Shape of the model's input, [1, ...].
            preprocessing: Applied to uint8 data.

        Raises:
            DatasetError: The element type is neither uint8 nor float.
            ConfigError: The preprocessing does not fit the number of channels.
        """
        self.shape = (1, *sample_shape(input_shape))
        self._is_pixels = info.dtype == np.uint8
        if not self._is_pixels and info.dtype.kind != "f":
            raise DatasetError(
                f"{info.where} has element type {info.dtype.name}; store uint8 pixels (they go "
                "through --image_mean and --image_std) or float values as the model takes them"
            )
        if self._is_pixels:
            preprocessing.check_channels(self.shape[-1])
        self._rows = arrays.Rows(info, self.shape[1:])
        self._indices = tuple(indices)
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        row = self._rows.read(self._indices[index])
        if self._is_pixels:
            return self._preprocessing.normalize(row)[np.newaxis]
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf, refused below
            values = row.astype(np.float32)
        if not np.isfinite(values).all():
            raise DatasetError(
                f"{self.name(index)} holds NaN or infinity; repair the data or remove the sample"
            )
        return values[np.newaxis]

    def name(self, index: int) -> str:
        """File, key and position in the array."""
        return f"{self._rows.info.where} sample {self._indices[index]}"


class MemorySamples(Samples):
    """Samples that are arrays already, as the model takes them.

    They are copied: whoever made them may change them, or have filled one buffer again and again.
    A file that is mapped read-only stays where it is.
    """

    def __init__(self, samples: Any) -> None:
        """Take an array [N, ...], or an iterable of N arrays [1, ...] or lists of one of them.

        Raises:
            DatasetError: There are none, they differ in shape, or hold something else than finite
                numbers.
        """
        if isinstance(samples, np.ndarray):
            given = samples
        else:
            rows = [_copied(row, number) for number, row in enumerate(_rows(samples))]
            shapes = sorted({row.shape for row in rows})
            if len(shapes) > 1 or any(shape[:1] != (1,) for shape in shapes):
                raise DatasetError(
                    f"the samples have shapes {[list(shape) for shape in shapes]}; give arrays of "
                    "one shape with a batch of 1, or one array [N, ...]"
                )
            given = np.concatenate(rows) if rows else np.zeros(0)
        if given.ndim < 2 or not len(given):
            raise DatasetError(
                f"the data set is an array of shape {list(given.shape)}; give at least one sample"
            )
        if given.dtype.kind not in "fiu":
            raise DatasetError(
                f"the samples have element type {given.dtype.name}; give float values as the "
                "model takes them"
            )
        self._values = _owned(given)
        if not all(np.isfinite(row).all() for row in self._values):
            raise DatasetError(
                "the samples hold NaN or infinity; repair the data or remove those samples"
            )
        self._values.flags.writeable = False
        self.shape = (1, *self._values.shape[1:])

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        row: npt.NDArray[np.float32] = self._values[index : index + 1]
        return row

    def name(self, index: int) -> str:
        """Position."""
        return f"sample {index}"


class EverySecond(Samples):
    """Every second of other samples."""

    def __init__(self, samples: Samples, start: int) -> None:
        """Begin with sample 0 or 1 of ``samples``."""
        self._samples = samples
        self._positions = range(start, len(samples), 2)
        self.shape = samples.shape

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        return self._samples[self._positions[index]]

    def name(self, index: int) -> str:
        """As the others call it."""
        return self._samples.name(self._positions[index])


def _rows(samples: Any) -> Iterable[Any]:
    """What a user has given as samples, if one can go through it.

    Raises:
        DatasetError: One cannot, or would go through something else.
    """
    if isinstance(samples, (str, bytes, os.PathLike)):
        raise DatasetError(
            f"the samples are a {type(samples).__name__}; give arrays, or open files with "
            "Validation.from_files"
        )
    produced = samples() if callable(samples) else samples
    if isinstance(produced, Mapping) or not isinstance(produced, Iterable):
        raise DatasetError(
            f"the samples are a {type(produced).__name__}; give one array [N, ...] or a list of "
            "arrays with a batch of 1"
        )
    return produced


def _copied(row: Any, number: int) -> npt.NDArray[Any]:
    """One sample as an array of its own."""
    if isinstance(row, (list, tuple)) and len(row) == 1:
        row = row[0]
    try:
        return np.array(row)
    except ValueError as error:  # rows of different length, or a pair of arrays
        raise DatasetError(
            f"sample {number} is a {type(row).__name__} that is no array; give arrays of one shape "
            "with a batch of 1, and labels apart from them"
        ) from error


def _owned(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The values in memory that nobody else writes to."""
    is_file = isinstance(values, np.memmap) and values.mode == "r"
    if is_file and values.dtype == np.float32 and values.flags.c_contiguous:
        return values
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf, refused by the caller
        return np.array(values, np.float32, order="C")


def open_calibration(
    path: PathLike,
    input_shape: Sequence[int],
    preprocessing: Preprocessing,
    num_samples: int,
    seed: int,
) -> Samples:
    """Open calibration data.

    Args:
        path: A folder (images, searched recursively, in sorted order), a ``.npy`` or ``.npz``
            file (the array whose trailing shape is the model's input) or a text file with one
            image per line, relative to the text file's folder; blank lines and lines that
            begin with ``#`` are skipped.
        input_shape: Shape of the model's input with its batch dimension, e.g. [1, 224, 224, 3];
            a batch of -1 counts as 1.
        preprocessing: Applied to images and uint8 arrays; float arrays are taken as they are.
        num_samples: At most so many samples. When there are more, a random subset that depends
            on ``seed`` and the number of samples alone is taken, in its original order.
        seed: Any integer.

    Returns:
        The samples, float32 of shape [1, ...input].

    Raises:
        DatasetError: The data are missing, unreadable or of the wrong form.
        ConfigError: ``num_samples`` or the preprocessing is not allowed.
        ModelError: The input has a batch other than 1 or an unknown dimension.
    """
    if num_samples < 1:
        raise ConfigError(f"--num_samples {num_samples}: at least one sample is needed")
    return _open(
        Path(path), input_shape, preprocessing, lambda total: choose(total, num_samples, seed)
    )


def open_held_back(
    path: PathLike,
    input_shape: Sequence[int],
    preprocessing: Preprocessing,
    num_samples: int,
    seed: int,
    limit: int,
) -> Samples | None:
    """Samples of the same source that ``open_calibration`` leaves out.

    Args:
        path: As for ``open_calibration``, like all that follow but the last.
        input_shape: See there.
        preprocessing: See there.
        num_samples: See there.
        seed: See there.
        limit: At most so many, evenly spread over those left out.

    Returns:
        The samples, ``None`` if calibration takes all there are.
    """

    def left_out(total: int) -> list[int]:
        used = set(choose(total, num_samples, seed))
        rest = [index for index in range(total) if index not in used]
        count = min(limit, len(rest))
        return [rest[position * len(rest) // count] for position in range(count)]

    samples = _open(Path(path), input_shape, preprocessing, left_out)
    return samples if len(samples) else None


def _open(
    source: Path,
    input_shape: Sequence[int],
    preprocessing: Preprocessing,
    choice: Callable[[int], list[int]],
) -> Samples:
    """Those samples of a source whose positions ``choice`` picks out of their number."""
    if not exists(source):
        raise DatasetError(
            f"{source}: no such file or folder; name a folder of images, a .npy or .npz file, "
            "or a text file with one image per line"
        )
    if source.suffix.lower() in (".npy", ".npz") and is_file(source):
        info = find_samples_array(source, input_shape)
        total = len(arrays.Rows(info, sample_shape(input_shape)))
        return ArraySamples(info, choice(total), input_shape, preprocessing)
    files = images.find_images(source) if is_folder(source) else read_image_list(source)
    chosen = [files[index] for index in choice(len(files))]
    return ImageSamples(chosen, input_shape, preprocessing)


def choose(total: int, count: int, seed: int) -> list[int]:
    """``count`` of ``range(total)`` at random, ascending; all of them when there are fewer.

    ``random.Random(seed).random()`` is the one generator whose sequence Python promises to
    keep between versions, hence the detour over sorting.
    """
    if count >= total:
        return list(range(total))
    generator = random.Random(seed)
    keys = [generator.random() for _ in range(total)]
    return sorted(sorted(range(total), key=keys.__getitem__)[:count])


def sample_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    """The model's input shape without the batch.

    Raises:
        ModelError: The batch is neither 1 nor dynamic, or another dimension is unknown.
    """
    shape = tuple(int(size) for size in input_shape)
    if not shape or shape[0] not in (1, -1):
        raise ModelError(
            f"the model's input has shape {list(shape)}; its first dimension must be a batch of 1 "
            "or dynamic: convert the model with batch size 1"
        )
    if any(size < 1 for size in shape[1:]):
        raise ModelError(
            f"the model's input has shape {list(shape)}; only the batch may be dynamic: convert "
            "the model with a fixed input size"
        )
    return shape[1:]


def find_samples_array(path: Path, input_shape: Sequence[int]) -> arrays.ArrayInfo:
    """The one array of a NumPy file whose trailing shape is the model's input.

    Raises:
        DatasetError: None fits or several do; the message lists the arrays found.
    """
    wanted = sample_shape(input_shape)
    infos = arrays.list_arrays(path)
    fitting = [
        info
        for info in infos
        if len(info.shape) >= len(wanted) and info.shape[len(info.shape) - len(wanted) :] == wanted
    ]
    found = "; ".join(str(info) for info in infos) or "no arrays"
    if not fitting:
        raise DatasetError(
            f"{path}: no array fits the model's input, which needs shape "
            f"[N, {', '.join(map(str, wanted))}]; found {found}"
        )
    if len(fitting) > 1:
        raise DatasetError(
            f"{path}: several arrays fit the model's input {list(wanted)}; found {found}; "
            "keep only one of them in the file"
        )
    if 0 in fitting[0].shape:
        raise DatasetError(
            f"{path}: the data set is empty, found {found}; give it at least one sample"
        )
    return fitting[0]


def read_image_list(path: Path) -> list[Path]:
    """Images named by a text file, relative to its folder.

    Raises:
        DatasetError: The file is not text, names something that is no image or does not
            exist, or is empty.
    """
    listed = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        image = path.parent / entry
        if not images.is_image(image):
            raise DatasetError(
                f"{path}, line {number}: {entry!r} is not the name of an image; write one image "
                f"path per line (ending in {', '.join(images.IMAGE_SUFFIXES)})"
            )
        if not is_file(image):
            raise DatasetError(
                f"{path}, line {number}: no such image {image}; paths are relative to the "
                "folder of the list"
            )
        listed.append(image)
    if not listed:
        raise DatasetError(f"{path}: the list names no images; write one image path per line")
    return listed


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise DatasetError(
            f"{path}: is neither a folder of images, a .npy or .npz file, nor a text file with "
            "one image per line; for a single image name its folder or put it in a list"
        )
    return text
