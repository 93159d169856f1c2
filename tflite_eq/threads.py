"""How many threads compute.

Runtimes share a large operator among threads without loss, a small one takes longer so. NumPy does
not profit: between any two operations a thread waits for Python's lock, and the threads of BLAS
wait in loops, which takes more of the cores than they gain as long as products are small. Measured
on two cores, 50 samples: mobilenet_v1_0.25 takes 5.4 s and 4.7 CPU s with one thread, 6.3 s and 8.9
CPU s with two of BLAS.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import threadpoolctl

from tflite_eq.workers import is_worker

# What users say by how many threads are to compute; the least one counts.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# More gain little: most of a calibration is one thing after the other.
_MOST_THREADS = 4


# Values of a tensor from which on waking a thread takes little time by what it then computes.
_MANY_VALUES = 1 << 19


def thread_count(values: int) -> int:
    """Threads of an interpreter: as many as there are cores where tensors are large, else one.

    Args:
        values: Those of the largest tensor that it computes or reads.
    """
    if is_worker() or values < _MANY_VALUES:
        return 1
    given = [os.environ.get(variable, "") for variable in VARIABLES]
    wanted = [int(value) for value in given if value.isdecimal() and int(value) > 0]
    return min([_cores(), _MOST_THREADS, *wanted])


@contextlib.contextmanager
def one_thread_of_blas() -> Iterator[None]:
    """Let matrix products be computed by whoever asks for them."""
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
