"""Trained networks that packages ship, and the photographs that they are shown.

They are float models in a folder as ``python -m benchmarks.zoo --zoo`` takes it, with a ``zoo.csv``
that says how they are fed: columns model, mean and std (of pixels of 0..255; a number, or one for
each channel with spaces between), what it brings, and where there are such task, as
``classification``, and judges, how many photographs judge it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.zoo import inputs
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph

Float = npt.NDArray[np.float32]

# Photographs that calibration draws from, and how many of the others judge. These are taken evenly
# from their list, whose parts come from different collections.
_POOL, _JUDGES = 300, 400


class Photographs:
    """Samples in memory, in the form a comparison takes them."""

    def __init__(self, values: Float) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Float:
        return self._values[index]

    def name(self, index: int) -> str:
        """Its number among those that judge."""
        return f"photograph {index}"


def photographs(model: bytes, entry: dict[str, str], folder: Path) -> tuple[Float, Float]:
    """Samples to calibrate on and to judge by, [n, 1, H, W, C] each, as the model is fed."""
    graph = Graph.from_bytes(model)
    mean, std = (inputs.pixel_values(entry[key]) for key in ("mean", "std"))
    for what, ends in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(ends) != 1:
            name, remedy = entry["model"], "measure it with python -m benchmarks.zoo --zoo FOLDER"
            raise ConfigError(f"{name}: has {len(ends)} {what}, not one; {remedy}")
    judges = int(entry.get("judges") or _JUDGES)
    found = []
    for table, count in (("calibration", _POOL), ("validation", judges)):
        paths = inputs.photographs_of(folder, table, 10**6)
        step = max(1, len(paths) // count) if table == "validation" else 1
        made = inputs.make_inputs(graph, paths[::step][:count], mean, std, seed=0)
        [images] = made.values()
        found.append(images[:, np.newaxis])
    return found[0], found[1]


def draw(pool: Float, number: int, count: int) -> Float:
    """Calibration samples: the first ones in draw 0, else drawn at random."""
    if number == 0:
        return pool[:count]
    return pool[np.random.default_rng(number).permutation(len(pool))[:count]]
