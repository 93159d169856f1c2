"""Evaluation by processes of this machine.

Workers are spawned, not forked: a fork would inherit the runtime's locks. A script that calls
``evaluate`` with several workers therefore needs the usual ``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tflite_eq.errors import BackendError
from tflite_eq.evaluation.task import Chunks, Plan, Rows, Task, Worker
from tflite_eq.workers import end_with_parent


def run(plan: Plan, tasks: Sequence[Task], workers: int) -> Chunks:
    """What comes of the tasks, in their order.

    Raises:
        BackendError: A worker process died.
    """
    workers = min(workers, len(tasks))
    if workers > 1:
        yield from _in_workers(plan, tasks, workers)
        return
    worker = plan.worker()
    for task in tasks:
        yield task.start, worker.work(task)


def _in_workers(plan: Plan, tasks: Sequence[Task], workers: int) -> Chunks:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(plan,),
    )
    try:
        futures = deque(pool.submit(_work_in_worker, task) for task in tasks)
        for task in tasks:
            yield task.start, futures.popleft().result()  # kept by nobody once it is handed on
    except BrokenProcessPool as error:
        raise BackendError(
            f"a worker process died while {plan.runtime.description} was running "
            "the models, from a crash in the runtime or for lack of memory; try --num_workers 1, "
            "or --kernels reference"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: Worker | None = None  # of this worker process


def _start_worker(plan: Plan) -> None:
    global _worker
    end_with_parent()
    with contextlib.suppress(ValueError):  # Ctrl-C is the parent's to handle
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = plan.worker()


def _work_in_worker(task: Task) -> Rows:
    assert _worker is not None
    return _worker.work(task)
