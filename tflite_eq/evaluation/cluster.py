"""Evaluation on a Ray cluster: the same chunks, scored by whichever machine has a core to spare.

Ray rather than Apache Beam: a chunk needs models that are already loaded, which Ray's long-lived
worker processes keep from task to task; Ray runs the tasks of a worker that died again on another
one, on one machine as on a hundred, while Beam's in-process runner gives up and its portable local
runner is a separate download; and what runs here is an ordinary function call, not a pipeline.

A task that runs again computes the same scores for the same positions, and its caller takes one
result per task: no sample is counted twice, none is lost.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.evaluation.task import Chunks, Plan, Rows, Task, Worker

# How often a chunk is tried again after its worker died: a machine may go, but a model that
# crashes the runtime does so wherever it runs.
_RETRIES = 3


def run(plan: Plan, tasks: Sequence[Task], workers: int | None, address: str | None) -> Chunks:
    """What comes of the tasks, in the order in which they end.

    Args:
        plan: What to do.
        tasks: The samples to do it with.
        workers: Tasks at once; None for one per core of the cluster.
        address: Of a running cluster, such as "auto" or "ray://host:10001"; None starts one on
            this machine and stops it at the end. A connection that exists already is used.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at this address.
        BackendError: Ray does not start, or workers died again and again.
    """
    ray = _import_ray()
    with _connected(ray, workers, address):
        reference = ray.put(plan)
        key = uuid.uuid4().hex
        remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
        waiting: dict[Any, int] = {}
        limit = workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        rest = iter(tasks)

        def submit(count: int) -> None:
            for task in itertools.islice(rest, count):
                # In a list, the reference is handed on as it is: a worker fetches the plan once,
                # not for every task.
                waiting[remote.remote(key, [reference], task)] = task.start

        try:
            submit(2 * limit)  # for every worker: one runs, the next is there when it is done
            while waiting:
                (done,), _ = ray.wait(list(waiting), num_returns=1)
                start = waiting.pop(done)
                yield start, ray.get(done)
                submit(1)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise BackendError(
                f"workers died {_RETRIES + 1} times while {plan.runtime.description} was running "
                "the same samples, from a crash in the runtime or for lack of memory; try "
                "--kernels reference, or fewer --num_workers"
            ) from error


_workers: dict[str, Worker] = {}  # of this worker process: the evaluation it works for


def _work(key: str, plan: list[Any], task: Task) -> Rows:
    if key not in _workers:
        _workers.clear()
        _workers[key] = _import_ray().get(plan[0]).worker()
    return _workers[key].work(task)


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "evaluating on a cluster needs Ray: pip install 'tflite-eq[ray]', or leave out "
            "--engine ray to use the cores of this machine"
        ) from error


@contextlib.contextmanager
def _connected(ray: Any, workers: int | None, address: str | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    options = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise BackendError(
                f"Ray does not start on this machine ({error}); leave out --engine ray to use its "
                "cores without"
            ) from error
        raise ConfigError(
            f"--ray_address {address}: no Ray cluster answers ({error}); start one with "
            "'ray start --head', or leave the address out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
