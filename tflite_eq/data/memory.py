"""Samples in memory, as users give them from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.samples import Samples
from tflite_eq.errors import DatasetError


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
