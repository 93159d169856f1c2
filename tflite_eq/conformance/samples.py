"""What a written model is checked on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph
from tflite_eq.record.record import Calibration

Array = npt.NDArray[Any]
Sample = Sequence[Array]

# Samples that the preferred runtime is checked on, with its default kernels; others get one.
CHECKED_SAMPLES = 2


def checked_samples(
    graph: Graph, calibration: Calibration, kept: Sequence[Sample], seed: int
) -> list[Sample]:
    """Some of the calibration samples; for a loaded record, which has none, a random one.

    Values far from those a network was made for may be no input at all: indices beyond a table's
    end, lengths below zero.

    Args:
        graph: The float network.
        calibration: What is known of the ranges of its inputs.
        kept: Calibration samples, as far as they are at hand: arrays in input order.
        seed: Seeds the random one.
    """
    return list(kept[:CHECKED_SAMPLES]) or [_made_up(graph, calibration, seed)]


def _made_up(graph: Graph, calibration: Calibration, seed: int) -> Sample:
    """Random values within the calibrated range of each input."""
    rng = np.random.default_rng(seed)
    ranges = {tensor.index: tensor.observed for tensor in calibration.tensors}
    made: list[Array] = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.is_float:
            low, high = ranges.get(index, (-1.0, 1.0))
            made.append(rng.uniform(low, high, tensor.shape).astype(np.float32))
            continue
        name = "object" if tensor.type_name == "STRING" else tensor.type_name.lower()
        kind: np.dtype[Any] = np.dtype(name)
        if any(properties.reads_raw_input(graph, reader) for reader in graph.consumers(index)):
            ends = np.iinfo(kind)
            made.append(rng.integers(ends.min, ends.max, tensor.shape, kind, endpoint=True))
        else:
            # Indices: any other value may be out of range.
            made.append(np.zeros(tensor.shape, kind))
    return made
