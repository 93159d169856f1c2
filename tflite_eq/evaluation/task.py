"""What is handed to whoever does the work of an evaluation, and what comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import numpy.typing as npt

from tflite_eq.runtimes import Runtime

# What comes back of a task: one row per model, [models, samples, ...].
Rows = npt.NDArray[Any]

# Position of a task's first sample, and what comes back of the task.
Chunks = Iterator["tuple[int, Rows]"]


@dataclasses.dataclass(frozen=True)
class Task:
    """Some of the samples, one after the other.

    Attributes:
        start: Position of the first one.
        stop: Position behind the last one.
        expected: Stored results of the reference for them, [stop - start, ...]; ``None`` if the
            reference is among the models or there is none.
    """

    start: int
    stop: int
    expected: Rows | None = None


@dataclasses.dataclass(frozen=True)
class NamedModel:
    """A ``.tflite`` file to evaluate.

    Attributes:
        name: How to call it in messages and results.
        data: Content of the file.
    """

    name: str
    data: bytes


class Worker(Protocol):
    """All models of an evaluation loaded in one process."""

    def work(self, task: Task) -> Rows:
        """What the plan asks for of some samples, [models, samples, ...]."""


class Plan(Protocol):
    """All that a process needs to become a worker; small or memory-mapped apart from the models."""

    @property
    def runtime(self) -> Runtime:
        """Where models run."""

    def worker(self) -> Worker:
        """The models loaded in this process."""
