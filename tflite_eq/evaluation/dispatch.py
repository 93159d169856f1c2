"""Handing the samples of an evaluation to whoever does the work, and putting results together.

Whoever does the work - this process, others beside it, a cluster - takes chunks of samples; what
comes back is put together by position, so the figures do not depend on who computed what, or how
often.
"""

from __future__ import annotations

import dataclasses
import enum
import os

import numpy as np

from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import cluster, local
from tflite_eq.evaluation.task import Chunks, Plan, Rows, Task
from tflite_eq.progress import track

_CHUNK = 16  # samples per task: enough to hide its cost, few enough to share the work evenly


class Engine(enum.Enum):
    """Who does the work."""

    LOCAL = "local"  # processes of this machine
    RAY = "ray"  # a Ray cluster


@dataclasses.dataclass(frozen=True)
class Workforce:
    """Who does the work, and how many at once.

    Attributes:
        num_workers: Processes to use at once; 1 stays in this one if the engine is local. None
            takes one per core, of the machine or of the cluster.
        engine: Who does the work. On a cluster, every machine needs this package, the same
            runtime, and the samples' files under the same path.
        ray_address: Address of a running Ray cluster; None starts one on this machine.
    """

    num_workers: int | None = 1
    engine: Engine = Engine.LOCAL
    ray_address: str | None = None

    def check(self) -> None:
        """Refuse what is not allowed, before anything is read for it.

        Raises:
            ConfigError: It is not.
        """
        if self.num_workers is not None and self.num_workers < 1:
            raise ConfigError(f"--num_workers {self.num_workers}: at least one is needed")
        if self.ray_address is not None and self.engine is not Engine.RAY:
            raise ConfigError(
                "--ray_address goes with --engine ray; add it or leave the address out"
            )


def run(plan: Plan, count: int, workforce: Workforce, expected: Rows | None = None) -> Rows:
    """What the plan asks for of all samples, [models, samples, ...].

    Args:
        plan: What to do.
        count: Number of samples.
        workforce: Who does it.
        expected: Stored results of the reference, [samples, ...].

    Raises:
        TfliteEqError: The work fails, or the workforce is not allowed.
    """
    workforce.check()
    tasks = _tasks(count, expected)
    if workforce.engine is Engine.RAY:
        chunks = cluster.run(plan, tasks, workforce.num_workers, workforce.ray_address)
    else:
        chunks = local.run(plan, tasks, workforce.num_workers or available_cores())
    return _collect(chunks, count)


def available_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tasks(count: int, expected: Rows | None) -> list[Task]:
    """All samples cut into chunks, each with its part of stored results."""
    ends = [(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if expected is None:
        return [Task(start, stop) for start, stop in ends]
    return [Task(start, stop, expected[start:stop]) for start, stop in ends]


def _collect(chunks: Chunks, count: int) -> Rows:
    """Rows of all samples, each of them written exactly once."""
    rows: Rows | None = None
    seen = np.zeros(count, np.bool_)
    description = f"Evaluating: {_CHUNK} samples at a time"
    for start, chunk in track(chunks, description, total=-(-count // _CHUNK)):
        positions = slice(start, start + chunk.shape[1])
        if seen[positions].any():
            raise AssertionError(f"samples from {start} on were counted twice")
        if rows is None:
            rows = np.zeros((len(chunk), count, *chunk.shape[2:]), chunk.dtype)
        rows[:, positions] = chunk
        seen[positions] = True
    if rows is None or not seen.all():
        raise AssertionError(f"{np.count_nonzero(~seen)} samples were lost")
    return rows
