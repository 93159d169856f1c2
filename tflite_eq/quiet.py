"""Catching what native code writes to the terminal past Python's own streams."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Callable

_KEPT = 2000


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Keep stdout and stderr, file descriptors included, off the terminal.

    TensorFlow's converter reports its inner steps there, a screenful per model.

    Yields:
        A function that returns the end of what was written so far, for an error message.
    """
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    saved = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 1)
        os.dup2(caught.fileno(), 2)

        def said() -> str:
            for stream in streams:
                stream.flush()
            end = caught.seek(0, os.SEEK_END)
            caught.seek(max(0, end - _KEPT))
            return caught.read().decode(errors="replace").strip()

        try:
            yield said
        finally:
            for stream in streams:
                stream.flush()
            for number, copy in enumerate(saved, start=1):
                os.dup2(copy, number)
                os.close(copy)
