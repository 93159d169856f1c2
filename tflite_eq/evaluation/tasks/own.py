"""A metric of the user's: a function of what a model gives and what is expected."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.arguments import check_kind, described
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.tasks.base import NetworkTask, Outputs
from tflite_eq.evaluation.tasks.figures import Entries, Figure, Mean, Pooled, Weighted
from tflite_eq.user_functions import called, name_of


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure that a function gives.

    Attributes:
        function: Takes what a model gives for one sample - a dict of its outputs by name, without a
            ``decode`` of yours - and what is expected: the same of the float model, or your truth.
            It gives a number, whose mean over the samples is the figure; or, with ``summarize``,
            anything.
        higher_is_better: Whether it is; a bound on what is lost needs to know.
        unit: What the figure is in: ``%``, ``dB``, or nothing.
        summarize: Takes a list of what the function gave, one entry a sample, and gives the figure.
        name: What to call it; the function's own name if it is empty.

    Example:
        >>> import numpy as np, tflite_eq
        >>> def largest_error(outputs, expected):
        ...     return max(np.abs(outputs[name] - expected[name]).max() for name in outputs)
        >>> metric = tflite_eq.Metric(largest_error, higher_is_better=False, summarize=max)
        >>> metric.title
        'largest_error'
    """

    function: Callable[[Any, Any], Any]
    higher_is_better: bool | None = None
    unit: str = ""
    summarize: Callable[[list[Any]], float] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be called.

        Raises:
            ConfigError: An attribute is of another kind.
        """
        for what, function in (("function", self.function), ("summarize", self.summarize)):
            if not callable(function) and (what, function) != ("summarize", None):
                raise ConfigError(f"metric: {what} is {described(function)}; give a function")
        if self.higher_is_better is not None:
            remedy = "give True or False"
            check_kind(self.higher_is_better, bool, "metric: higher_is_better", remedy)
        for text in ("unit", "name"):
            check_kind(getattr(self, text), str, f"metric: {text}", "give a text")

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name or name_of(self.function)


@dataclasses.dataclass(frozen=True)
class Own(NetworkTask):
    """A task of which nothing is known but the figure.

    Attributes:
        metric: The figure.
    """

    metric: Metric

    name: ClassVar[str] = "own"
    takes: ClassVar[str] = "anything"
    takes_truth: ClassVar[str] = "anything"

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """The one figure."""
        of = "the ground truth" if has_truth else "the float model's outputs"
        if self.metric.summarize is None:
            meaning, statistic = "mean over the samples", Mean(_itself)  # type: str, Any
        else:
            meaning, statistic = "of all samples", Pooled(_Summary(self.metric))
        title = self.metric.title
        return (
            Figure(
                title,
                title,
                self.metric.unit,
                self.metric.higher_is_better,
                statistic,
                4,
                f"{meaning}, against {of}",
            ),
        )

    def select(self, outputs: Outputs) -> Any:
        """All outputs by name."""
        return dict(outputs)

    def form(self, value: Any) -> Any:
        """Anything."""
        return value

    def scored(self, predicted: Any, expected: Any) -> Any:
        """What the function gives."""
        found = called(self.metric.function, "metric", predicted, expected)
        if self.metric.summarize is not None:
            return found
        return _number(found, f"metric {self.metric.title}")


@dataclasses.dataclass(frozen=True)
class _Summary:
    """The user's own summary of chosen entries."""

    metric: Metric

    def __call__(self, entries: Entries) -> Weighted:
        assert self.metric.summarize is not None
        summarize = self.metric.summarize
        is_first = True

        def figure(counts: npt.NDArray[np.int64]) -> float:
            nonlocal is_first
            chosen = [entries[place] for place in np.repeat(np.arange(len(counts)), counts)]
            found = called(summarize, "summarize of the metric", chosen)
            if is_first or not _is_nan(found):  # a drawing of few samples may tell nothing
                found = _number(found, f"summarize of the metric {self.metric.title}")
            is_first = False
            return float(found)

        return figure


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _number(value: Any, what: str) -> float:
    """A finite number.

    Raises:
        DatasetError: It is none.
    """
    is_numpy = isinstance(value, (np.ndarray, np.generic)) and value.size == 1
    plain = value.item() if is_numpy else value
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        raise DatasetError(
            f"{what} gave {described(value)}, which is no number; have it return one float"
        )
    if not math.isfinite(plain):
        raise DatasetError(
            f"{what} gave {plain}; have it return a finite number, whatever the sample"
        )
    return float(plain)


def _itself(entry: float) -> float:
    return entry
