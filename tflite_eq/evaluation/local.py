"""Evaluation by processes of this machine.

Workers are spawned, not forked: a fork would inherit the runtime's locks. A script that calls
``evaluate`` with several workers therefore needs the usual ``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tflite_eq.errors import BackendError
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.team import Chunks, Plan, Team


def run(plan: Plan, chunk: int, workers: int) -> Chunks:
    """Scores of all samples in order, ``chunk`` at a time.

    Raises:
        BackendError: A worker process died.
    """
    total = len(plan.labels)
    ends = [(start, min(start + chunk, total)) for start in range(0, total, chunk)]
    workers = min(workers, len(ends))
    if workers > 1:
        yield from _in_workers(plan, ends, workers)
        return
    team = Team(plan)
    for start, stop in ends:
        yield start, team.score(start, stop)


def _in_workers(plan: Plan, ends: list[tuple[int, int]], workers: int) -> Chunks:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(plan,),
    )
    try:
        futures = [pool.submit(_score_in_worker, *end) for end in ends]
        for (start, _), future in zip(ends, futures):
            yield start, future.result()
    except BrokenProcessPool as error:
        raise BackendError(
            f"a worker process died while {plan.runtime.name} {plan.runtime.version} was running "
            "the models, from a crash in the runtime or for lack of memory; try --num_workers 1, "
            "or --kernels reference"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_team: Team | None = None  # of this worker process


def _start_worker(plan: Plan) -> None:
    global _team
    with contextlib.suppress(ValueError):  # Ctrl-C is the parent's to handle
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _team = Team(plan)


def _score_in_worker(start: int, stop: int) -> metrics.Scores:
    assert _team is not None
    return _team.score(start, stop)
