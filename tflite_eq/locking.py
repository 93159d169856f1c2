"""Keeping two processes from using one file, on every system."""

from __future__ import annotations

import importlib
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    _msvcrt: Any = importlib.import_module("msvcrt")

    def _lock(stream: IO[bytes]) -> None:
        _msvcrt.locking(stream.fileno(), _msvcrt.LK_NBLCK, 1)

else:

    def _lock(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(stream: IO[bytes]) -> bool:
    """Lock an open file; the system unlocks it when it is closed or the process ends.

    Returns:
        Whether it was free.
    """
    try:
        _lock(stream)
    except OSError:
        return False
    return True
