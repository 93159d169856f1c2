"""Runs models in the emulated Python, one inference of each between markers.

``count_instructions.c`` knows the markers. Job: ``{"module", "library", "cases": [{"model",
"input", "options", "warm_up"}]}``, where ``input`` is an ``.npy`` for the only input of the
``.tflite``, ``options`` are the delegate's, ``null`` for none, and ``warm_up`` asks for an
inference before the counted one. Answer: ``{"maps", "logs"}``, the process's memory map and, for
each model, what was written to stderr while its interpreter was made.
"""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np

from tools.arm64.guest.interpreters import make_interpreter
from tools.arm64.guest.machine_code import markers


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    runtime = importlib.import_module(job["module"])
    begin, end = markers()
    logs = []
    for case in job["cases"]:
        interpreter, log = make_interpreter(runtime, job["library"], case)
        (details,) = interpreter.get_input_details()
        interpreter.set_tensor(details["index"], np.load(case["input"]))
        if case["warm_up"]:
            interpreter.invoke()
        begin()
        interpreter.invoke()
        end()
        logs.append(log)
    with open("/proc/self/maps", encoding="ascii") as maps:
        print(json.dumps({"maps": maps.read(), "logs": logs}))


if __name__ == "__main__":
    main()
