"""A process in which runtimes compute in place of this one.

It tries models that may end it (``trial``), and holds interpreters of runtimes that take seconds to
import here (``runtimes``). It serves all runtimes, since to start one for each takes longer than
most models do; if one ends it, the next question starts another. It imports no more than these
runtimes, waits for further work, and ends with this process, or when there is none for a while. It
is no ``multiprocessing`` process: these start the user's script again on most systems, which then
has to be written for that.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import Any

# Isolated: nothing of the working directory is imported. The path is that of this process, so that
# the same packages are found.
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from tflite_eq.trial_process import serve; serve()"
)


# What it says behind a model that ran, and behind one that did not.
RAN = b"ran\n"
FAILED = b"failed\n"


class NotStartedError(Exception):
    """A process ended, or never was, before it came to what it was asked."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A method of something that a process holds.

    Attributes:
        target: A runtime, or the number of another object.
        method: Name of its method.
        arguments: What the method is given.
        keeps: Whether the process keeps what it returns under ``result`` instead of sending it.
        result: That number.
        released: Numbers of objects that are not needed any more.
    """

    target: Any
    method: str
    arguments: tuple[Any, ...]
    keeps: bool = False
    result: int = 0
    released: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Task:
    """What a process is asked.

    Attributes:
        path: Where modules are to be looked for.
        call: A method to call, or
        runtime: a runtime
        job: with a model to run on it.
    """

    path: tuple[str, ...]
    call: Call | None = None
    runtime: Any = None
    job: Any = None


class ProcessApart:
    """A process that works on one task after the other."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            NotStartedError: That is not possible here.
        """
        if getattr(sys, "frozen", False) or not sys.executable:
            raise NotStartedError  # a program with Python inside: it would start itself
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows
            )
        except OSError as error:
            raise NotStartedError from error
        self._lock = threading.Lock()
        self._serial = 0
        self._released: list[int] = []
        self._held = 0
        self._send(sys.path)

    @property
    def is_needed(self) -> bool:
        """Whether it holds objects that somebody here works with."""
        return self._held > 0

    def answer(self, runtime: Any, job: Any) -> bool:
        """Have it run a model; whether that went as far as it was to, without an error.

        Raises:
            NotStartedError: It did not come to that.
            EOFError: It ended over it.
        """
        with self._lock:
            self._send(Task(tuple(sys.path), runtime=runtime, job=job))
            stream = self._child.stdout
            assert stream is not None
            if not stream.readline():
                self.stop()
                raise NotStartedError
            last = stream.readline()
            if not last:
                raise EOFError
            return last == RAN

    def call(self, target: Any, method: str, *arguments: Any, keeps: bool = False) -> Any:
        """What a method returns there; with ``keeps`` the number under which it stays there.

        Raises:
            NotStartedError: The process has ended before.
            EOFError: It ended over it.
            Exception: What the method raises.
        """
        with self._lock:
            self._serial += keeps
            released, self._released = tuple(self._released), []
            call = Call(target, method, arguments, keeps, self._serial, released)
            self._send(Task(tuple(sys.path), call))
            stream = self._child.stdout
            assert stream is not None
            try:
                is_right, value = pickle.load(stream)
            except pickle.UnpicklingError as error:
                raise EOFError from error  # it ended while it was answering
            if not is_right:
                raise value
            self._held += keeps
            return self._serial if keeps else value

    def release(self, target: int) -> None:
        """Have it forget an object, with the next call."""
        self._released.append(target)  # from finalizers: these must not wait for a lock
        self._held -= 1

    def how_it_ended(self) -> str:
        """Name of a signal, or an exit code."""
        code = self._child.wait()
        self.stop()
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"exit code {code & 0xFFFFFFFF:#x}" if code else "exit code 0"

    def stop_if_idle(self) -> bool:
        """End it unless somebody needs it; whether it was ended.

        Who waits meanwhile to ask it something finds that it has ended before, and asks another.
        """
        if not self._lock.acquire(blocking=False):
            return False  # another thread is being answered
        try:
            if self.is_needed:
                return False
            self.stop()
            return True
        finally:
            self._lock.release()

    def stop(self) -> None:
        """End it, whatever it does."""
        self._child.kill()
        for stream in (self._child.stdin, self._child.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what could not be written before it ended
                stream.close()
        self._child.wait()

    def _send(self, *values: Any) -> None:
        stream = self._child.stdin
        assert stream is not None
        try:
            for value in values:
                pickle.dump(value, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: closed since it ended
            self.stop()
            raise NotStartedError from error


# By the process that started it: after a fork it answers the other one.
processes: dict[int, ProcessApart] = {}


def process_apart() -> ProcessApart:
    """The process that serves this one, started if there is none.

    Raises:
        NotStartedError: None can be started here.
    """
    key = os.getpid()
    if key not in processes:
        processes[key] = ProcessApart()
    return processes[key]


def renew() -> None:
    """Have the next question answered by a process that has loaded nothing yet, if one may end."""
    process = processes.get(os.getpid())
    if process is not None and process.stop_if_idle():
        forget(process)


def forget(process: ProcessApart) -> None:
    """Start another one the next time: this one has ended."""
    for key in [key for key, other in processes.items() if other is process]:
        processes.pop(key)


class InterpreterApart:
    """An interpreter in another process: its methods, each of them a question to that process.

    Attributes:
        is_apart: That its tensors are not in the memory of this one.
    """

    is_apart = True

    def __init__(self, runtime: Any, *arguments: Any) -> None:
        """Make the interpreter; arguments as of ``Runtime.bare_interpreter``.

        Raises:
            NotStartedError: No process can be started here.
            BackendError: The runtime rejects the model.
            RuntimeError: It ends the process over it.
        """
        self._process = process_apart()
        try:
            self._number = self._ask(runtime, "bare_interpreter", *arguments, keeps=True)
        except NotStartedError:  # it has had nothing to do for a while
            self._process = process_apart()
            self._number = self._ask(runtime, "bare_interpreter", *arguments, keeps=True)

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)
        return lambda *arguments: self._ask(self._number, method, *arguments)

    def __del__(self) -> None:
        """Let the process give the memory back."""
        number = self.__dict__.get("_number")
        if number is not None:
            self._process.release(number)

    def _ask(self, target: Any, method: str, *arguments: Any, keeps: bool = False) -> Any:
        try:
            return self._process.call(target, method, *arguments, keeps=keeps)
        except EOFError as error:
            forget(self._process)
            how = self._process.how_it_ended()
            raise RuntimeError(f"it ended its process ({how}) at {method}") from error
        except NotStartedError as error:
            forget(self._process)
            if keeps:
                raise
            raise RuntimeError(f"its process had ended before {method}") from error


@atexit.register
def _stop_all() -> None:
    for pid, process in list(processes.items()):
        if pid == os.getpid():
            process.stop()
