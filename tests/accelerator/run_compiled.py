"""Runs models by LiteRT's CompiledModel, in a process of its own: what native code writes to stderr
is part of the result, and the runtime takes its environment variables from there. Needs LiteRT and
NumPy alone, so that it also runs under emulation.

Takes a JSON object from its standard input and prints another on the last line:

``models``   paths of models, each with ``inputs`` and ``outputs``: .npz files, read and written
``folder``   the environment's ``runtime_path``; ``null``: the runtime's own
``hardware`` ``CPU``, ``GPU`` or ``CPU|GPU``
``threads``  of the model; absent: the runtime's default
``parallel`` how many threads of Python run each model at once, each a compiled model of its own
``drops``    orders in which environment, models and buffers are let go; everything is done anew
             for each

Answer: ``{"errors": [...]}``, one message or ``null`` per model: the first of all orders.
"""

from __future__ import annotations

import concurrent.futures
import gc
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
from ai_edge_litert.environment import Environment


def main() -> None:
    """The whole job."""
    job = json.load(sys.stdin)
    errors: list[str | None] = [None] * len(job["models"])
    for order in job.get("drops", [["buffers", "models", "environment"]]):
        errors = [earlier or own for earlier, own in zip(errors, _run_all(job, order))]
    print(json.dumps({"errors": errors}))


def _run_all(job: dict[str, Any], order: Sequence[str]) -> list[str | None]:
    environment = Environment.create(runtime_path=job["folder"]) if job["folder"] else None
    errors: list[str | None] = []
    # Let go in an order of the job's, not of Python's.
    held: dict[str, list[Any]] = {"environment": [environment], "models": [], "buffers": []}
    for model in job["models"]:
        try:
            _run(model, environment, job, held)
            errors.append(None)
        except RuntimeError as error:
            errors.append(str(error))
    del environment
    for name in order:
        del held[name]
        gc.collect()
    return errors


def _run(model: dict[str, str], environment: Any, job: dict[str, Any], held: Any) -> None:
    with np.load(model["inputs"]) as stored:
        samples = [stored[name] for name in sorted(stored.files)]
    count = job.get("parallel", 1)
    compiled = [_compiled(model["model"], environment, job) for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        made = list(threads.map(lambda each: _invoke(each, samples, held), compiled))
    for other in made[1:]:
        if not all(np.array_equal(a, b) for a, b in zip(made[0], other)):
            raise RuntimeError("threads computed different outputs")
    np.savez(model["outputs"], *made[0])
    held["models"].extend(compiled)


def _compiled(path: str, environment: Any, job: dict[str, Any]) -> Any:
    hardware = HardwareAccelerator(0)
    for name in job["hardware"].split("|"):
        hardware |= getattr(HardwareAccelerator, name)
    arguments: dict[str, Any] = {"hardware_accel": hardware}
    if "threads" in job:
        from ai_edge_litert.options import CpuOptions, Options

        cpu_options = CpuOptions(num_threads=job["threads"])
        options = Options(hardware_accelerators=hardware, cpu_options=cpu_options)
        arguments = {"options": options}
    return CompiledModel.from_file(path, environment=environment, **arguments)


def _invoke(compiled: Any, samples: list[Any], held: Any) -> list[Any]:
    """The first output for each sample of the first input."""
    key = next(iter(compiled.get_signature_list()))
    (details,) = compiled.get_output_tensor_details(key).values()
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    held["buffers"].append((inputs, outputs))
    dtype = np.dtype(details["dtype"])
    size = int(np.prod(details["shape"]))
    made = []
    for sample in samples:
        inputs[0].write(np.ascontiguousarray(sample))
        compiled.run_by_index(0, inputs, outputs)
        made.append(np.asarray(outputs[0].read(size, dtype)).reshape(details["shape"]))
    return made


if __name__ == "__main__":
    main()
