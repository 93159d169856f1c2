"""What a model must keep to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tflite_eq.arguments import check_kind, is_number
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.tasks.figures import Figure
from tflite_eq.evaluation.tasks.registry import Judge, judge
from tflite_eq.guard.validation import SeveralInputs, Validation


@dataclasses.dataclass(frozen=True)
class Guard:
    """A bound on what a quantized model may lose.

    Attributes:
        max_drop: Largest loss allowed against the float model: percentage points of top-1, or of
            agreement if classes are not known; with a task or a metric in the unit of its figure.
        validation: What it is measured on.
        task: What the network is for: ``classify``, ``detect``, ``segment``, ``landmarks``,
            ``embed`` or ``image``, see docs/tasks.md.
        metric: A function or ``Metric`` in place of a task; or the name of one of the task's
            figures, which the bound is about in place of its first one.
        decode: Function that makes of a dict of outputs what the task judges.
        task_options: Options of the task by name.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> guard = tflite_eq.Guard(0.5, tflite_eq.Validation.from_arrays(samples[50:]))
        >>> guard.measure
        'disagreement'
    """

    max_drop: float
    validation: Validation
    task: str | None = None
    metric: Any = None
    decode: Any = None
    task_options: Mapping[str, Any] | None = None
    judge: Judge | None = dataclasses.field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse bounds that mean nothing.

        Raises:
            ConfigError: The bound is negative, above 100, or no number; or the task does not exist,
                or has no such figure.
        """
        remedy = "make one with Validation.from_arrays or Validation.from_files"
        check_kind(self.validation, Validation, "validation", remedy)
        several = isinstance(self.validation.dataset, SeveralInputs)
        said = (self.task, self.metric, self.decode, self.task_options)
        if any(one is not None for one in said):
            made = judge(*said)
            if not made.is_of_classes(self.validation.truth is not None) or several:
                object.__setattr__(self, "judge", made)
                made.bound_figure(self.has_truth)
        elif self.validation.truth is not None:
            raise ConfigError(
                "the validation data have truth, and of what is not said; give "
                f"tflite_eq.Guard(max_drop={self.max_drop}, validation=..., task=...)"
            )
        check_bound(self.max_drop, self.unit)

    @property
    def has_truth(self) -> bool:
        """Whether the loss is against what is known to be right."""
        return self.validation.has_labels or self.validation.truth is not None

    @property
    def figure(self) -> Figure | None:
        """What a task's bound is about; ``None`` for classes."""
        return None if self.judge is None else self.judge.bound_figure(self.has_truth)

    @property
    def measure(self) -> str:
        """Name of the figure that the bound is about."""
        if self.figure is not None:
            return f"{self.figure.title} loss"
        return "top-1 drop" if self.validation.has_labels else "disagreement"

    @property
    def unit(self) -> str:
        """What the bound is in."""
        return "points" if self.figure is None else self.figure.loss_unit

    @property
    def digits(self) -> int:
        """Of a loss, to print behind the point."""
        return 2 if self.figure is None else self.figure.digits


def check_bound(max_drop: float, unit: str = "points") -> None:
    """Refuse bounds that mean nothing.

    Raises:
        ConfigError: It is negative, no number, or above 100 percentage points.
    """
    largest = 100 if unit == "points" else math.inf
    if not (is_number(max_drop) and 0 <= max_drop <= largest):
        wanted = "percentage points from 0 to 100, such as 0.5"
        if unit != "points":
            wanted = f"0 or more{f' {unit}' if unit else ''}, such as 0.5"
        raise ConfigError(f"--max_drop {max_drop}: must be {wanted}")


def check_guard(guard: Any) -> None:
    """Refuse what is no bound on validation data.

    Raises:
        ConfigError: It is something else than a ``Guard``.
    """
    bound = guard if is_number(guard) else 0.5
    remedy = f"give tflite_eq.Guard(max_drop={bound}, validation=...)"
    check_kind(guard, Guard, "guard", remedy)
