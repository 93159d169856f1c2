"""What runs in a process apart (``process_apart``). Nothing imports this."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import pickle
import signal
import sys
import threading
import types
from typing import Any, BinaryIO

import numpy as np

from tflite_eq.errors import TfliteEqError
from tflite_eq.evaluation.feeding import encoded
from tflite_eq.known_model import known_model
from tflite_eq.process_apart import FAILED, RAN, Call, Task
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session
from tflite_eq.trial import Job, Step

# After which the memory of the runtime is given back: it takes a moment to start again.
_IDLE_SECONDS = 60


class _NoMetrics:
    """Counts nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


# What TensorFlow's module of interpreters imports of the rest: a counter and a decorator.
_NEEDED_OF_TENSORFLOW: dict[str, dict[str, Any]] = {
    "tensorflow.lite.python.metrics.metrics": {"TFLiteMetrics": _NoMetrics},
    "tensorflow.python.util.tf_export": {"tf_export": lambda *_, **__: lambda exported: exported},
}


def serve() -> None:
    """Run one model after the other until there are none; a line before each, and one behind."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # runtimes may write to it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process decides when this one ends
    _die_unnoticed()
    questions = sys.stdin.buffer
    runtimes: dict[Runtime, Runtime] = {}
    held: dict[int, Any] = {}
    with contextlib.suppress(EOFError, OSError):
        while True:
            task: Task = _next_task(questions, may_end=not held)
            sys.path[:] = task.path
            if task.call is None:
                runtime = _ready(task.runtime, runtimes)
                _say(answers, b"begun\n")
                _say(answers, RAN if _runs(runtime, task.job) else FAILED)
                continue
            for number in task.call.released:
                held.pop(number, None)
            answer = _answer(task.call, held, runtimes)
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _ready(runtime: Runtime, runtimes: dict[Runtime, Runtime]) -> Runtime:
    """A runtime whose interpreters are made here."""
    if runtime not in runtimes:
        runtimes[runtime] = dataclasses.replace(runtime, is_apart=False)
        if runtime.module.startswith("tensorflow."):
            do_without_tensorflow(runtimes[runtime])
    return runtimes[runtime]


def _next_task(questions: BinaryIO, may_end: bool) -> Any:
    """What to do next; ends the process where it may and nothing comes for a while."""
    if not may_end:
        return pickle.load(questions)
    end = threading.Timer(_IDLE_SECONDS, os._exit, [0])
    end.daemon = True
    end.start()
    task = pickle.load(questions)
    end.cancel()
    return task


def _answer(call: Call, held: dict[int, Any], runtimes: dict[Runtime, Runtime]) -> tuple[bool, Any]:
    """Whether a method returned, and what; or what it raised."""
    try:
        is_runtime = isinstance(call.target, Runtime)
        target = _ready(call.target, runtimes) if is_runtime else held[call.target]
        value = getattr(target, call.method)(*call.arguments)
    except (TfliteEqError, ValueError) as error:
        return False, type(error)(str(error))
    except Exception as error:  # of any type, which the other process may not know
        return False, RuntimeError(str(error))
    if call.keeps:
        held[call.result] = value
        return True, None
    return True, value


def _runs(runtime: Runtime, job: Job) -> bool:
    """Run a model; whether there was no error. What it was is found in the other process."""
    try:
        session = Session(runtime.bare_interpreter(job.model, job.kernels))
        if job.until is Step.BUILD:
            return True
        session.allocate([v if isinstance(v, tuple) else v.shape for v in job.inputs])
        if job.until is Step.ALLOCATE:
            return True
        values = [
            np.zeros(value, detail["dtype"]) if isinstance(value, tuple) else value
            for detail, value in zip(session.inputs, job.inputs)
        ]
        session.feed(encoded(values, session.inputs))
        session.invoke()
        for _ in session.views():
            pass
    except Exception:  # of any type
        return False
    return True


def _say(answers: BinaryIO, line: bytes) -> None:
    answers.write(line)
    answers.flush()


def _die_unnoticed() -> None:
    """No core file and no window that tells of the end: it is expected."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002)
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def do_without_tensorflow(runtime: Runtime) -> None:
    """Import TensorFlow's module of interpreters without the packages around it: they take seconds.

    Where a version needs more of them, all are imported after all.
    """
    before = set(sys.modules)
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        return
    (root, *_) = found.submodule_search_locations
    parents = {name.rpartition(".")[0] for name in (*_NEEDED_OF_TENSORFLOW, runtime.module)}
    for name in sorted(parents):
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            package = types.ModuleType(".".join(parts[:end]))
            package.__path__ = [os.path.join(root, *parts[1:end])]
            sys.modules.setdefault(package.__name__, package)
    for name, members in _NEEDED_OF_TENSORFLOW.items():
        stand_in = sys.modules[name] = types.ModuleType(name)
        vars(stand_in).update(members)
        parent, _, own = name.rpartition(".")
        setattr(sys.modules[parent], own, stand_in)
    try:
        interpreter = runtime.bare_interpreter(known_model(), Kernels.REFERENCE)
        interpreter.allocate_tensors()
    except Exception:
        for name in set(sys.modules) - before:
            if name.startswith("tensorflow"):
                del sys.modules[name]
