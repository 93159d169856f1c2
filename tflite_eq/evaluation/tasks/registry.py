"""The tasks there are, by name, and one made of what a user says."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tflite_eq.arguments import described
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.tasks.base import NetworkTask, Outputs
from tflite_eq.evaluation.tasks.classify import Classify
from tflite_eq.evaluation.tasks.detect import Detect
from tflite_eq.evaluation.tasks.embed import Embed
from tflite_eq.evaluation.tasks.figures import Figure
from tflite_eq.evaluation.tasks.image import Image
from tflite_eq.evaluation.tasks.landmarks import Landmarks
from tflite_eq.evaluation.tasks.own import Metric, Own
from tflite_eq.evaluation.tasks.segment import Segment
from tflite_eq.graph.model import Graph
from tflite_eq.user_functions import called

Decode = Callable[[Outputs], Any]

TASKS: Mapping[str, type[NetworkTask]] = {
    kind.name: kind for kind in (Classify, Detect, Segment, Landmarks, Embed, Image)
}

# What the network decides, rather than the user.
_NOT_OPTIONS = ("slots", "metric")


@dataclasses.dataclass(frozen=True)
class Judge:
    """How models are judged.

    Attributes:
        task: What they are for.
        decode: Makes what the task judges of a dict of outputs; ``None`` leaves that to the task.
        figure: Name of the figure that a bound is about; empty for the task's first one.
    """

    task: NetworkTask
    decode: Decode | None = None
    figure: str = ""

    @property
    def name(self) -> str:
        """What people read."""
        if isinstance(self.task, Own):
            return f"metric {self.task.metric.title}"
        return f"task {self.task.name}"

    def is_of_classes(self, has_truth: bool = False) -> bool:
        """Whether classes are all it is about, which labels tell: logits are compared then."""
        return self == Judge(Classify()) and not has_truth

    @property
    def description(self) -> str:
        """Everything figures depend on, the same in every run: functions by their names."""
        options = {
            field.name: _named(getattr(self.task, field.name))
            for field in dataclasses.fields(self.task)
        }
        return f"{self.name} {options} {_named(self.decode)} {self.figure}"

    def bound_to(self, graph: Graph, names: Sequence[str]) -> Judge:
        """The judge of a network whose outputs have these names."""
        return dataclasses.replace(self, task=self.task.bound_to(graph, names))

    def predicted(self, outputs: Outputs) -> Any:
        """What is judged, of one sample.

        Raises:
            TfliteEqError: The outputs hold nothing of the kind, or ``decode`` fails.
        """
        chosen = self.task.select(outputs) if self.decode is None else None
        if self.decode is not None:
            chosen = called(self.decode, "decode", dict(outputs))
        return self.task.form(chosen)

    def bound_figure(self, has_truth: bool) -> Figure:
        """The figure that a bound is about.

        Raises:
            ConfigError: The task has none of that name, or nobody has said what is better.
        """
        figures = {figure.name: figure for figure in self.task.figures(has_truth)}
        chosen = next(iter(figures.values()))
        if self.figure:
            if self.figure not in figures:
                raise ConfigError(
                    f"--metric {self.figure}: {self.name} has no such figure "
                    f"{'with' if has_truth else 'without'} ground truth; choose one of "
                    f"{', '.join(figures)}, or name a function: module:function"
                )
            chosen = figures[self.figure]
        if chosen.higher_is_better is None:
            raise ConfigError(
                f"{self.name}: a bound on what is lost needs to know what is better; give "
                "tflite_eq.Metric(function, higher_is_better=True) or False in place of the "
                "function"
            )
        if not chosen.can_be_lost:
            lossy = [figure.name for figure in figures.values() if figure.can_be_lost]
            raise ConfigError(
                f"--metric {chosen.name}: against itself the float model's is infinite, so there "
                f"is nothing to lose of it; choose {', '.join(lossy)}, or give --truth"
            )
        return chosen

    def check_picklable(self) -> None:
        """Refuse functions that cannot be handed to other processes.

        Raises:
            ConfigError: They cannot.
        """
        try:
            pickle.dumps(self)
        except Exception as error:  # whatever pickle says of a lambda
            raise ConfigError(
                f"{self.name}: a function cannot be handed to other processes ({error}); define it "
                "at the top of a module, or use one process (num_workers=1, --num_workers 1)"
            ) from error


def _named(value: Any) -> str:
    """A value, or the names of the functions in it."""
    if isinstance(value, Metric):
        parts = (value.function, value.summarize, value.higher_is_better, value.unit, value.name)
        return str([_named(part) for part in parts])
    if callable(value):
        return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"
    return repr(value)


def judge(
    task: str | None,
    metric: Any = None,
    decode: Any = None,
    task_options: Mapping[str, Any] | None = None,
) -> Judge:
    """How to judge, from what a user says.

    Args:
        task: One of ``TASKS``; ``None`` with a metric of one's own.
        metric: A function or ``Metric`` in place of a task, or the name of one of its figures.
        decode: Function from a dict of outputs to what the task judges.
        task_options: Options of the task by name; texts are read as numbers where it takes these.

    Raises:
        ConfigError: They contradict each other, or a value is not allowed.
    """
    if decode is not None and not callable(decode):
        raise ConfigError(f"decode is {described(decode)}; give a function")
    if metric is not None and not isinstance(metric, str):
        if task is not None:
            raise ConfigError(
                f"--task {task} has figures of its own; leave it out to judge by a function, or "
                f"name one of its figures with --metric"
            )
        if task_options:
            raise ConfigError("--task_option goes with --task; leave it out")
        own = metric if isinstance(metric, Metric) else Metric(metric)
        return Judge(Own(own), decode)
    if task is None:
        raise ConfigError(
            f"what the network is for is not said; give --task, one of {', '.join(TASKS)}, or "
            "--metric module:function"
        )
    if task not in TASKS:
        raise ConfigError(
            f"--task {task}: choose one of {', '.join(TASKS)}, or judge by --metric module:function"
        )
    kind = TASKS[task]
    made = kind(**{name: _read(kind, name, value) for name, value in (task_options or {}).items()})
    return Judge(made, decode, metric or "")


def _read(kind: type[NetworkTask], name: str, value: Any) -> Any:
    """The value of an option, as the task's field of that name has it."""
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name not in _NOT_OPTIONS}
    if name not in fields:
        raise ConfigError(
            f"--task_option {name}: task {kind.name} has no such option; choose one of "
            f"{', '.join(sorted(fields))}"
        )
    wanted: Any = type(fields[name].default)
    try:
        if isinstance(value, bool) or (wanted is str and not isinstance(value, str)):
            raise ValueError
        read = wanted(value)
        if wanted is int and not isinstance(value, str) and read != value:
            raise ValueError
        if wanted is float and not math.isfinite(read):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        what = {int: "a whole number", float: "a number", str: "a text"}[wanted]
        raise ConfigError(f"--task_option {name}={value}: task {kind.name} takes {what}") from None
    return read
