"""Runs models in the emulated Python on reference kernels, with the delegate or without it.

Job: ``{"module", "library", "cases": [{"name", "model", "inputs", "outputs", "options"}]}``, where
``inputs`` names an ``.npz`` with one stack of samples for each of the model's inputs, ``outputs``
the ``.npz`` to write in the same form, and ``options`` are the delegate's, ``null`` for none.
Answer: ``{"logs", "partitions"}``, what each case wrote to stderr while its interpreter was made,
and how many nodes of its plan the delegate runs.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np

from tools.arm64.guest.interpreters import make_interpreter


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    runtime = importlib.import_module(job["module"])
    resolver = runtime.OpResolverType.BUILTIN_REF
    logs, partitions = [], []
    for case in job["cases"]:
        print(f"running {case['name']}", file=sys.stderr, flush=True)  # the last words of a crash
        interpreter, log = make_interpreter(
            runtime, job["library"], case, experimental_op_resolver_type=resolver
        )
        logs.append(log)
        # Where reference kernels run the rest, there is no other delegate.
        nodes = interpreter._get_ops_details()
        partitions.append(sum(node["op_name"] == "DELEGATE" for node in nodes))
        np.savez(case["outputs"], *_outputs(interpreter, np.load(case["inputs"])))
    print(json.dumps({"logs": logs, "partitions": partitions}))


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


if __name__ == "__main__":
    main()
