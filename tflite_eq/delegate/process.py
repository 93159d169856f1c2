"""Work that needs a process of its own.

Two TFLite runtimes in one process share C++ classes by name, and one may silently answer for the
other; and a crash in native code must not take the command with it.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, TypeVar

from tflite_eq.errors import BackendError
from tflite_eq.workers import end_with_parent

T = TypeVar("T")


class CrashError(BackendError):
    """Native code ended the process."""


def call_apart(what: str, function: Callable[..., T], *arguments: Any) -> T:
    """``function(*arguments)`` in a new process; what it raises is raised here.

    Args:
        what: Names the work in the error message.
        function: A function of a module.
        *arguments: Anything that can be pickled.

    Raises:
        CrashError: The process died.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context, end_with_parent) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise CrashError(
                f"{what} crashed: native code ended the process; convert and quantize the "
                "model again, or name another installed runtime with --runtime"
            ) from error
