"""Whether a runtime survives a model: it is run in a process apart before it is run in this one.

Kernels check what they compute with by assertions that end the process, and miss some checks
altogether; which ones differs between runtimes, kernels and CPUs. What can be named is refused by
name (``graph/operator_form.py``). For the rest, a model that comes from outside, or was just
written, goes to another process first, together with the sample that it is about to run on.

The price: a process (``process_apart``), which imports no more than the runtimes (0.2 s of
processor time, and 0.3 s for TensorFlow's, which does without the other 3 s), then one run of the
model for each one that was not tried before.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import os
import threading
from collections.abc import Sequence
from typing import Any, Union

import numpy.typing as npt

from tflite_eq.errors import BackendError
from tflite_eq.process_apart import NotStartedError, forget, process_apart
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.workers import is_worker

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Inputs = Sequence[Union[Array, Shape]]

_OUT_OF_MEMORY = "SIGKILL"


class Step(enum.Enum):
    """How far a model is taken."""

    BUILD = "build"
    ALLOCATE = "allocate"
    INVOKE = "invoke"


@dataclasses.dataclass(frozen=True)
class Job:
    """What a process is asked to run.

    Attributes:
        model: A ``.tflite`` file.
        kernels: What it computes with.
        inputs: Values of its inputs in their order, real ones or of an input's own type; or shapes,
            for zeros.
        until: How far it is taken.
    """

    model: bytes
    kernels: Kernels
    inputs: Inputs = ()
    until: Step = Step.INVOKE

    def key(self) -> tuple[Any, ...]:
        """What jobs share that end alike, as far as one can tell without running them."""
        inputs = tuple(getattr(value, "shape", value) for value in self.inputs)
        return self._digest, self.kernels, inputs, self.until

    @functools.cached_property
    def _digest(self) -> bytes:
        return hashlib.sha256(self.model).digest()


def death(runtime: Runtime, job: Job) -> str | None:
    """How a runtime ends the process at a model, e.g. ``SIGABRT``.

    Args:
        runtime: The runtime.
        job: What it is to run.

    Returns:
        ``None`` if it does not: it runs the model, or fails as it should; or if that cannot be
        told, because no process can be started here. Neither are models tried in processes that
        somebody else looks after.
    """
    if is_worker() or runtime in _untried:
        return None
    key = runtime, *job.key()
    with _lock:
        if key not in _endings:
            _endings[key] = _ask(runtime, job)
        return _endings[key]


def has_run(runtime: Runtime, job: Job) -> bool:
    """Whether a process apart was asked by ``death``, and ran the model without an error."""
    return (runtime, *job.key()) in _ran


def check_survives(runtime: Runtime, job: Job, name: str) -> None:
    """Refuse a model at which a runtime ends the process.

    Args:
        runtime: The runtime.
        job: What it is to run.
        name: What to call the model.

    Raises:
        BackendError: It does; the message names kernels that do not.
    """
    how = death(runtime, job)
    if how is None:
        return
    others = (k for k in Kernels if k is not job.kernels)
    able = [k.value for k in others if not death(runtime, dataclasses.replace(job, kernels=k))]
    raise BackendError(
        f"{name}: {would_end(runtime, job.kernels, how)}"
        f"{f'; with {able[-1]} kernels it would not' if able else ''}. The model holds what these "
        f"kernels cannot compute: convert it again, or try another version of {runtime.name}"
    )


def would_end(runtime: Runtime, kernels: Kernels, how: str) -> str:
    """A death as part of a message."""
    memory = ", perhaps for lack of memory" if how == _OUT_OF_MEMORY else ""
    return (
        f"{runtime.description} would end the process ({how}{memory}) at running the model with "
        f"{kernels.value} kernels"
    )


class Bounds:
    """Sizes of inputs that a model was tried with; those between need no further trial."""

    def __init__(self) -> None:
        self._least: list[Shape] = []
        self._largest: list[Shape] = []

    def widen(self, shapes: Sequence[Shape]) -> bool:
        """Take in the shapes of one more sample; whether any is outside what there was."""
        if [len(shape) for shape in shapes] != [len(shape) for shape in self._least]:
            self._least = self._largest = list(shapes)
            return True
        least = [tuple(map(min, old, new)) for old, new in zip(self._least, shapes)]
        largest = [tuple(map(max, old, new)) for old, new in zip(self._largest, shapes)]
        is_wider = (least, largest) != (self._least, self._largest)
        self._least, self._largest = least, largest
        return is_wider


_lock = threading.Lock()
_endings: dict[tuple[Any, ...], str | None] = {}
_ran: set[tuple[Any, ...]] = set()  # keys of these
_untried: set[Runtime] = set()  # no process can be started for


def _renew_lock() -> None:
    """In a fork no thread is left that would ever release it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _ask(runtime: Runtime, job: Job) -> str | None:
    for _ in range(2):  # it may have ended since the last model, by no fault of this one
        process = None
        try:
            process = process_apart()
            if process.answer(runtime, job):
                _ran.add((runtime, *job.key()))
            return None
        except NotStartedError:
            if process is not None:
                forget(process)
        except EOFError:
            assert process is not None
            forget(process)
            return process.how_it_ended()
    _untried.add(runtime)
    return None
