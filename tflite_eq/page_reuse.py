"""Keeping the memory of arrays for the next ones, instead of handing it back to the system.

Calibration makes and drops arrays of some megabytes by the ten thousand. The C library gives such
memory back at once, and the system clears every page before it lends it again: half of the time of
a calibration, on some machines. While calibration runs, glibc is told to keep what it has.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import threading
from collections.abc import Iterator
from typing import Callable

# Parameters of ``mallopt``, from malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

# What is kept and what is still asked of the system by itself, in bytes.
_KEPT_FREE = 512 << 20
_LARGEST = 32 << 20  # more is refused

# What glibc comes to by itself in a process that has dropped arrays of many megabytes.
_USUAL_FREE = 64 << 20

_lock = threading.Lock()
_users = 0


@contextlib.contextmanager
def kept_pages() -> Iterator[None]:
    """Keep freed memory in the process; give it back at the end. Nothing where there is no glibc.

    May be nested, and used by several threads: the last one gives it back.
    """
    global _users
    found = _functions()
    if found is None:
        yield
        return
    set_option, trim = found
    with _lock:
        _users += 1
        if _users == 1:
            set_option(_MMAP_THRESHOLD, _LARGEST)
            set_option(_TRIM_THRESHOLD, _KEPT_FREE)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                set_option(_TRIM_THRESHOLD, _USUAL_FREE)
                trim(0)


@functools.cache
def _functions() -> tuple[Callable[[int, int], int], Callable[[int], int]] | None:
    """``mallopt`` and ``malloc_trim`` of glibc, if this process has it."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version  # other C libraries have a mallopt of another meaning
        return library.mallopt, library.malloc_trim
    except (AttributeError, OSError):
        return None
