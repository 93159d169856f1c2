"""All models of a comparison loaded in one process, to run samples through them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError
from tflite_eq.evaluation import closeness
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.task import NamedModel, Rows, Task
from tflite_eq.runtimes import Kernels, Runtime

Array = npt.NDArray[Any]
InputSample = Union[Array, Mapping[str, Array]]


class InputSamples(Protocol):
    """Samples for all inputs of a model: sized, indexable and picklable."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int) -> InputSample:
        """Values of every input by its name, with the model's batch; an array if there is one."""

    def name(self, index: int) -> str:
        """Where sample ``index`` comes from."""


@dataclasses.dataclass(frozen=True)
class ComparisonPlan:
    """How models are run and compared.

    Attributes:
        models: What to run, the reference first.
        input_orders: By model: which of the reference's inputs each of its inputs is.
        output_orders: By model: which of its outputs each of the reference's outputs is.
        input_names: What samples call the reference's inputs, in its order.
        output_names: What the reference calls its outputs, in its order.
        is_real: By output of the reference: whether it holds real values.
        samples: The samples.
        kernels: What the runtime computes with.
        runtime: Where models run.
    """

    models: tuple[NamedModel, ...]
    input_orders: tuple[tuple[int, ...], ...]
    output_orders: tuple[tuple[int, ...], ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    is_real: tuple[bool, ...]
    samples: InputSamples
    kernels: Kernels
    runtime: Runtime

    def worker(self) -> LoadedModels:
        """The models loaded in this process."""
        return LoadedModels(self)


class LoadedModels:
    """All models of a comparison loaded in one process.

    Attributes:
        executables: The models, the reference first.
    """

    def __init__(self, plan: ComparisonPlan) -> None:
        self._plan = plan
        self.executables = [
            Executable(model.name, model.data, plan.runtime, plan.kernels) for model in plan.models
        ]

    def work(self, task: Task) -> Rows:
        """Entries of type ``closeness.SCORE``, [models, samples, outputs]."""
        count, kinds = task.stop - task.start, self._plan.is_real
        scores = np.zeros((len(self.executables) - 1, count, len(kinds)), closeness.SCORE)
        for position in range(count):
            reference, *others = self.run(task.start + position)
            for row, values in enumerate(others):
                for column, pair in enumerate(zip(values, reference, kinds)):
                    scores[row, position, column] = closeness.score(*pair)
        return scores

    def run(self, index: int) -> list[list[Array]]:
        """Outputs of every model for one sample, which is read once, in the reference's order."""
        inputs = self._inputs(self._plan.samples[index])
        found = []
        for executable, into, out_of in zip(
            self.executables, self._plan.input_orders, self._plan.output_orders
        ):
            values = executable.run([inputs[position] for position in into])
            found.append([values[position] for position in out_of])
        return found

    def _inputs(self, sample: InputSample) -> list[Array]:
        names = self._plan.input_names
        if not isinstance(sample, Mapping):
            if len(names) != 1:
                raise DatasetError(
                    f"the samples are arrays, the model has {len(names)} inputs: {list(names)}; "
                    "give an array for each, by its name"
                )
            return [sample]
        missing = [name for name in names if name not in sample]
        if missing:
            raise DatasetError(
                f"the samples lack {', '.join(map(repr, missing))} of the model's inputs "
                f"{list(names)}; give an array for each, by its name"
            )
        return [sample[name] for name in names]
