"""Worker processes that do not outlive the process they work for."""

from __future__ import annotations

import multiprocessing
import os
import threading

_is_worker = False


def is_worker() -> bool:
    """Whether another process waits for this one, and says so if it ends before its work does."""
    return _is_worker


def end_with_parent() -> None:
    """Have this worker end as soon as the process that started it does, be it by ``kill -9``.

    Otherwise a worker of a ``ProcessPoolExecutor`` would wait for tasks for ever: it holds both
    ends of the queue they come from, so that the queue never closes.
    """
    global _is_worker
    _is_worker = True
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
