"""Catching what native code says about its inner steps past Python's own streams.

TensorFlow's converter and the runtimes write a screenful per model to the file descriptors 1 and 2,
some of it whatever their log level. The descriptors belong to the whole process: they are not
touched while other threads run, whose output would vanish with it, or appear in the wrong place.
Nor does anything vanish that is not known to be such chatter: the rest is passed on.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import IO, Any, Callable

from tqdm import TMonitor

_KEPT = 2000

_DESCRIPTORS = (1, 2)

# Lines of TensorFlow, Keras and the runtimes about what they are doing.
_CHATTER = re.compile(
    rb"[IWE]\d{4} [\d:.]+ +\d+ \S+:\d+\] "  # absl's log
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "  # TensorFlow's
    rb"|WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|To enable the following instructions: "
    rb"|INFO: "  # of the runtimes
    rb"|fully_quantize: \d"
    rb"|\s*$"
)

# What Keras prints when a model is exported, up to its last line.
_EXPORTED = re.compile(
    rb"Saved artifact at .*?^Captures:\n(?:  [^\n]*\n)+", re.DOTALL | re.MULTILINE
)


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Keep the chatter of native code, and Python warnings about it, off the terminal.

    Only where this is the process's only Python thread; else nothing is done. What is written to
    stdout or stderr in the meantime and is no chatter appears when the block ends.

    Yields:
        A function that returns the end of what was written so far, for an error message that is
        going to hold it; it is not passed on then.
    """
    if not _is_alone():
        yield lambda: ""
        return
    with contextlib.ExitStack() as stack:
        caught = [stack.enter_context(caught_at) for caught_at in map(_Caught, _DESCRIPTORS)]
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")

        def said() -> str:
            _flush()
            found = [one.take() for one in caught]
            return b"".join(found)[-_KEPT:].decode(errors="replace").strip()

        yield said


def _is_alone() -> bool:
    """Whether no other Python thread may write; one that only watches over progress bars may."""
    others = (t for t in threading.enumerate() if t is not threading.current_thread())
    return all(isinstance(thread, TMonitor) for thread in others)


class _Caught(contextlib.AbstractContextManager["_Caught"]):
    """A file descriptor that writes into a file for a while; a closed one is left alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._saved: int | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> _Caught:
        _flush()
        with contextlib.suppress(OSError):
            self._saved = os.dup(self._descriptor)
            self._file = tempfile.TemporaryFile()
            os.dup2(self._file.fileno(), self._descriptor)
        return self

    def __exit__(self, *error: Any) -> None:
        _flush()
        if self._saved is not None and self._file is not None:
            os.dup2(self._saved, self._descriptor)
            rest = without_chatter(self.take())
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._file.close()
        if self._saved is not None:
            os.close(self._saved)

    def take(self) -> bytes:
        """What has been written, which is forgotten."""
        if self._file is None:
            return b""
        self._file.seek(0)
        found = self._file.read()
        self._file.seek(0)
        self._file.truncate()
        return found


def without_chatter(text: bytes) -> bytes:
    """What is left of the output of native code for people to read."""
    lines = _EXPORTED.sub(b"", text).splitlines(keepends=True)
    return b"".join(line for line in lines if not _CHATTER.match(line))


def _flush() -> None:
    """Have Python's own streams write what they hold; there may be none, or closed ones."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.flush()
