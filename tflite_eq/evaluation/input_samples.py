"""Samples for all inputs of a model without labels: images for one, or arrays by input name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data import arrays
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import choose, open_calibration
from tflite_eq.errors import DatasetError
from tflite_eq.evaluation.comparison_team import InputSamples
from tflite_eq.evaluation.ends import End, listed
from tflite_eq.evaluation.executable import fits
from tflite_eq.evaluation.labels import check_limit
from tflite_eq.files import PathLike, is_file

Array = npt.NDArray[Any]

_LIMIT_SEED = 0


def open_inputs(
    path: PathLike, ends: Sequence[End], preprocessing: Preprocessing, limit: int | None = None
) -> InputSamples:
    """Open samples for a model.

    Args:
        path: For a model with one input what ``open_calibration`` takes; else, and for inputs that
            are not float or have open dimensions, an ``.npz`` file with arrays called like the
            inputs.
        ends: The model's inputs.
        preprocessing: What images, and uint8 arrays for float inputs, go through.
        limit: Use at most so many samples, the same random ones every time.

    Raises:
        TfliteEqError: The data are missing, unreadable or of the wrong form.
    """
    check_limit(limit)
    source = Path(path)
    is_array = source.suffix.lower() in (".npy", ".npz") and is_file(source)
    is_plain = len(ends) == 1 and ends[0].type_name == "FLOAT32" and -1 not in ends[0].shape[1:]
    if is_plain or (len(ends) == 1 and not is_array):
        return open_calibration(
            path, ends[0].shape, preprocessing, limit or sys.maxsize, _LIMIT_SEED
        )
    if not is_array:
        raise DatasetError(
            f"{path}: the model has {len(ends)} inputs: {listed(ends)}; name an .npz file with an "
            "array for each, called like the input"
        )
    return ArraysByInput(source, ends, preprocessing, limit)


class ArraysByInput:
    """Rows of arrays called like inputs: those at the same position belong together."""

    def __init__(
        self, path: Path, ends: Sequence[End], preprocessing: Preprocessing, limit: int | None
    ) -> None:
        """Find the arrays.

        Raises:
            DatasetError: There is none for an input, or they are not equally long.
        """
        infos = arrays.list_arrays(path)
        self._ends = tuple(ends)
        self._path = path
        self._preprocessing = preprocessing
        self._rows = [arrays.Rows(*self._found(infos, end)) for end in ends]
        counts = {end.name: len(rows) for end, rows in zip(ends, self._rows)}
        if len(set(counts.values())) > 1 or 0 in counts.values():
            raise DatasetError(
                f"{path}: the inputs have {counts} samples; store as many for each, at least one"
            )
        total = len(self._rows[0])
        self._indices = choose(total, limit or total, _LIMIT_SEED)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> dict[str, Array]:
        pairs = zip(self._ends, self._rows)
        return {end.name: self._value(end, rows, self._indices[index]) for end, rows in pairs}

    def name(self, index: int) -> str:
        """File and position in the arrays."""
        return f"{self._path} sample {self._indices[index]}"

    def _found(self, infos: list[arrays.ArrayInfo], end: End) -> tuple[Any, tuple[int, ...]]:
        by_name = [info for info in infos if info.key in (end.name, end.tensor)]
        one = infos if len(self._ends) == 1 else []
        for info in by_name or one:
            wanted = _row_shape(end)
            row = info.shape[max(len(info.shape) - len(wanted), 0) :]
            if fits(row, wanted):
                return info, row
        found = "; ".join(str(info) for info in infos) or "no arrays"
        raise DatasetError(
            f"{self._path}: no array for input {end}; found {found}; store one called "
            f"'{end.name}' with a sample in every row"
        )

    def _value(self, end: End, rows: arrays.Rows, index: int) -> Array:
        value = rows.read(index)
        if value.dtype == np.uint8 and end.type_name == "FLOAT32":
            value = self._preprocessing.normalize(value)
        elif value.dtype.kind == "f":
            value = value.astype(np.float32)
            if not np.isfinite(value).all():
                raise DatasetError(
                    f"{rows.info.where} sample {index} holds NaN or infinity; repair the data or "
                    "remove the sample"
                )
        return value[np.newaxis] if _is_batched(end) else value


def _is_batched(end: End) -> bool:
    return end.shape[:1] in ((1,), (-1,))


def _row_shape(end: End) -> tuple[int, ...]:
    return end.shape[1:] if _is_batched(end) else end.shape
