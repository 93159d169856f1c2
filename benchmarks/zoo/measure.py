"""How far models are from the float one, output by output, and where they run."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_data
from tflite_eq.errors import BackendError
from tflite_eq.evaluation.comparison import OutputResult, compare_outputs
from tflite_eq.evaluation.comparison_plan import InputSamples
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.intervals import Estimate, bootstrap
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes

Array = npt.NDArray[Any]

# A sample that comes out exact counts so much: infinity has no mean.
_MOST_DB = 100.0


@dataclasses.dataclass(frozen=True)
class OutputError:
    """One output of a model against the float one's.

    Attributes:
        name: What the float model calls it.
        sqnr_db: Signal over noise of all samples together; infinite without noise.
        by_sample: The same for each sample by itself, at most 100 dB.
        noise: Sum of squared errors of each sample.
    """

    name: str
    sqnr_db: float
    by_sample: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]


def samples_of(path: Path, model: bytes) -> InputSamples:
    """The samples in a file with one array per input of a model."""
    return open_data([str(path)], model_inputs(Graph.from_bytes(model)), Preprocessing())


def in_order(model: bytes, samples: InputSamples) -> Iterator[list[Array]]:
    """The samples as lists of arrays, in the order of a model's inputs."""
    names = [one.name for one in model_inputs(Graph.from_bytes(model))]
    for number in range(len(samples)):
        sample = samples[number]
        yield [sample[n] for n in names] if isinstance(sample, Mapping) else [sample]


def errors(model: bytes, others: Sequence[bytes], samples: InputSamples) -> list[list[OutputError]]:
    """The outputs of models against those of the float one, in the order of the latter.

    Args:
        model: The float model.
        others: The models.
        samples: What they run on, with the preferred runtime's default kernels.
    """
    named = [NamedModel(f"model {number}", other) for number, other in enumerate(others)]
    compared = compare_outputs(named, NamedModel("float", model), samples)
    return [[_error(output) for output in other.outputs] for other in compared.models]


def everywhere() -> list[str]:
    """Every installed runtime with XNNPACK and without."""
    return [_place(*where) for where in _places()]


def runs_on(model: bytes, samples: InputSamples) -> list[str]:
    """Those of them that run a model."""
    values = next(in_order(model, samples))
    return [_place(*where) for where in _places() if _runs(model, values, *where)]


def _places() -> Iterator[tuple[Runtime, Kernels]]:
    return itertools.product(available_runtimes(), (Kernels.DEFAULT, Kernels.BUILTIN))


def _place(runtime: Runtime, kernels: Kernels) -> str:
    return f"{runtime.description} with {kernels.value} kernels"


def _runs(model: bytes, values: Sequence[Array], runtime: Runtime, kernels: Kernels) -> bool:
    try:
        Executable("model", model, runtime, kernels).run(values)
    except BackendError:
        return False
    return True


def _error(output: OutputResult) -> OutputError:
    total, scores = output.closeness.sqnr_db, output.scores
    if total is None:
        raise ValueError(f"output '{output.name}' holds no real values")
    with np.errstate(divide="ignore", invalid="ignore"):
        by_sample = 10 * np.log10(scores["signal"] / scores["noise"])
    by_sample = np.where(scores["noise"] == 0, _MOST_DB, by_sample)
    return OutputError(
        output.name, total.value, by_sample.clip(-_MOST_DB, _MOST_DB), scores["noise"]
    )


def pooled_difference(ours: OutputError, others: OutputError) -> Estimate:
    """By how many dB our noise is less, that of all samples together."""

    def figure(counts: npt.NDArray[np.int64]) -> float:
        noise, other = float(counts @ ours.noise), float(counts @ others.noise)
        return 10 * math.log10(other / noise) if noise > 0 and other > 0 else math.nan

    return bootstrap(figure, len(ours.noise))
