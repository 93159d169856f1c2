"""Runs models in the emulated Python on reference kernels, with the delegate or without it.

Job: ``{"module", "library", "cases": [{"name", "model", "inputs", "outputs", "options"}]}``, where
``inputs`` names an ``.npz`` with one stack of samples for each of the model's inputs, ``outputs``
the ``.npz`` to write in the same form, and ``options`` are the delegate's, ``null`` for none.
Answer: ``{"logs", "partitions"}``, what each case wrote to stderr while its interpreter was made, and
how many nodes of its plan the delegate runs.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    runtime = importlib.import_module(job["module"])
    logs: list[str] = []
    partitions = []
    for case in job["cases"]:
        print(f"running {case['name']}", file=sys.stderr, flush=True)  # in case it crashes
        with _stderr(logs):
            interpreter = _interpreter(runtime, job["library"], case)
        nodes = interpreter._get_ops_details()
        partitions.append(sum(node["op_name"] == "TfLiteEqDelegate" for node in nodes))
        np.savez(case["outputs"], *_outputs(interpreter, np.load(case["inputs"])))
    print(json.dumps({"logs": logs, "partitions": partitions}))


def _interpreter(runtime: Any, library: str, case: dict[str, Any]) -> Any:
    delegates = None
    if case["options"] is not None:
        delegates = [runtime.load_delegate(library, case["options"])]
    interpreter = runtime.Interpreter(
        model_path=case["model"],
        num_threads=1,
        experimental_delegates=delegates,
        experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    return interpreter


def _outputs(interpreter: Any, inputs: Any) -> list[Any]:
    """A stack of each output over all samples."""
    samples = []
    for values in zip(*(inputs[name] for name in inputs.files)):
        for details, value in zip(interpreter.get_input_details(), values):
            interpreter.set_tensor(details["index"], value)
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        samples.append([interpreter.get_tensor(details["index"]) for details in outputs])
    return [np.stack(stack) for stack in zip(*samples)]


@contextlib.contextmanager
def _stderr(texts: list[str]) -> Iterator[None]:
    """Adds to the list what native code writes to stderr; shows it where the case fails."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            texts.append(caught.read().decode(errors="replace"))
            if sys.exc_info()[0] is not None:
                print(texts[-1], file=sys.stderr)


if __name__ == "__main__":
    main()
