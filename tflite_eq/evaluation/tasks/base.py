"""What every task says of itself.

A task takes two steps. It makes of a model's outputs what it judges - boxes, classes of pixels,
points, a vector, an image - and of that and of what is expected an entry for every sample. Figures
are made of the entries. What is expected is the ground truth, or what the float model gives.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.tasks.figures import Entries, Figure
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]

# By what the reference calls them, in its order.
Outputs = Mapping[str, Array]


class OtherKindError(ModelError):
    """A value is not what a task judges.

    Attributes:
        found: What it is.
    """

    def __init__(self, task: NetworkTask, found: str) -> None:
        """Say what was found."""
        super().__init__(
            f"task {task.name} judges {task.takes}; found {found}; choose another --task or "
            "output, or have --decode module:function make that of the outputs"
        )
        self.found = found


@dataclasses.dataclass(frozen=True)
class NetworkTask(abc.ABC):
    """What networks of one kind are for.

    Fields of a sub-class are the task's options: numbers and texts with defaults.

    Attributes:
        name: What users call it.
        takes: What the task judges, for messages: what a model or ``--decode`` has to give.
        takes_truth: What the ground truth of one sample is, for messages.
        takes_labels: Whether the truth is one whole number a sample.
    """

    name: ClassVar[str]
    takes: ClassVar[str]
    takes_truth: ClassVar[str]
    takes_labels: ClassVar[bool] = False

    @abc.abstractmethod
    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """The figures; the first one is what a bound is about if nothing else is said."""

    def bound_to(self, graph: Graph, names: Sequence[str]) -> NetworkTask:
        """The task for a network whose outputs have these names.

        Raises:
            ModelError: What it judges cannot be found among them.
        """
        del graph, names
        return self

    @abc.abstractmethod
    def select(self, outputs: Outputs) -> Any:
        """What the task judges, as ``form`` takes it.

        Raises:
            ModelError: It cannot be found among the outputs.
        """

    @abc.abstractmethod
    def form(self, value: Any) -> Any:
        """What is judged, checked and brought to one form.

        Raises:
            ModelError: It is of another kind.
        """

    def expected(self, predicted: Any) -> Any:
        """What the float model's result lets expect of other models."""
        return predicted

    def truth(self, value: Any) -> Any:
        """The ground truth of one sample, checked and brought to one form.

        Raises:
            DatasetError: It is of another kind.
        """
        try:
            return self.form(value)
        except OtherKindError as error:
            raise DatasetError(
                f"task {self.name}: expected {self.takes_truth}, found {error.found}; mend the "
                "ground truth"
            ) from error
        except ModelError as error:
            raise DatasetError(str(error)) from error

    @abc.abstractmethod
    def scored(self, predicted: Any, expected: Any) -> Any:
        """The entry of one sample.

        Raises:
            DatasetError: The two cannot be compared.
        """

    def doubts(self, entries: Entries) -> tuple[str, ...]:
        """What makes the figures of a model look like a mistake, a sentence each."""
        del entries
        return ()

    def check(self, entries: Entries, has_truth: bool) -> None:
        """Refuse samples that tell nothing.

        Args:
            entries: Of any one model.
            has_truth: Whether they were made with ground truth.

        Raises:
            DatasetError: They do.
        """
        del entries, has_truth


@dataclasses.dataclass(frozen=True)
class OneOutputTask(NetworkTask):
    """A task that judges one output.

    Attributes:
        output: Its name; empty for the only one that may be it.
    """

    output: str = ""

    @abc.abstractmethod
    def fits(self, value: Array) -> bool:
        """Whether an output may be what the task judges, by shape and type."""

    def select(self, outputs: Outputs) -> Any:
        """The output that is named, or the only one that fits."""
        if self.output:
            if self.output not in outputs:
                raise ModelError(
                    f"task {self.name}: no output is called '{self.output}'; found "
                    f"{shown(outputs)}; give --task_option output=NAME with one of these"
                )
            return outputs[self.output]
        fitting = [name for name, value in outputs.items() if self.fits(value)]
        if len(fitting) == 1:
            return outputs[fitting[0]]
        if not fitting:
            raise ModelError(
                f"task {self.name} judges {self.takes}; found {shown(outputs)}; choose another "
                "--task, or have --decode module:function make that of the outputs"
            )
        raise ModelError(
            f"task {self.name}: {len(fitting)} outputs may be {self.takes}: {shown(outputs)}; "
            f"choose one with --task_option output={fitting[0]}"
        )

    def array(self, value: Any) -> Array:
        """A value as an array of numbers.

        Raises:
            ModelError: It is none, or holds NaN or infinity.
        """
        try:
            found = np.asarray(value)
        except ValueError:
            found = np.asarray(None)
        if found.dtype.kind not in "fiub":
            raise self.other_kind(type(value).__name__)
        if not np.isfinite(found).all():
            raise ModelError(
                f"task {self.name}: the values hold NaN or infinity; check the preprocessing "
                "(--image_mean, --image_std) and the model's weights"
            )
        return found

    def other_kind(self, found: str) -> OtherKindError:
        """The error about what is not what the task judges."""
        return OtherKindError(self, found)


def shown(outputs: Outputs) -> str:
    """Outputs with type and shape, for messages."""
    return ", ".join(
        f"'{name}' ({value.dtype.name} {list(value.shape)})" for name, value in outputs.items()
    )


def array_shown(value: Array) -> str:
    """Type and shape of an array, for messages."""
    return f"{value.dtype.name} {list(value.shape)}"


def listed_numbers(numbers: Sequence[int], most: int = 12) -> str:
    """The first of them, for messages."""
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def same_shape(task: NetworkTask, predicted: Array, expected: Array) -> None:
    """Refuse to compare arrays of different shapes.

    Raises:
        DatasetError: They differ.
    """
    if predicted.shape != expected.shape:
        raise DatasetError(
            f"task {task.name}: the model gives {list(predicted.shape)}, expected is "
            f"{list(expected.shape)}; give ground truth of the model's own size"
        )


def checked_option(task: str, name: str, is_allowed: bool, value: Any, wanted: str) -> None:
    """Refuse a value of an option that means nothing.

    Raises:
        ConfigError: It is not allowed.
    """
    if not is_allowed:
        raise ConfigError(f"--task_option {name}={value}: task {task} takes {wanted}")
