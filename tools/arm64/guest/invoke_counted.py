"""Runs models in the emulated Python, one inference of each between markers.

``count_blocks.c`` knows the markers. Job: ``{"runtime", "module", "library", "cases": [{"model",
"weights", "input", "options", "warm_up"}]}``, where ``runtime`` and ``module`` name the runtime
(runtimes.py), ``input`` is an ``.npy`` for the only input of the model, ``options`` are the
delegate's, ``null`` for none, and ``warm_up`` asks for an inference before the counted one. Answer:
``{"maps", "logs", "outputs"}``, the process's memory map and, for each model, what was written to
stderr while it was loaded, and what a runtime other than TFLite gave.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from tools.arm64.guest.machine_code import markers
from tools.arm64.guest.runtimes import load


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    begin, end = markers()
    logs, outputs = [], []
    for case in job["cases"]:
        invoke, log = load(job, case)
        begin()  # caches are simulated from here on
        if case["warm_up"]:
            invoke()
            begin()
        output = invoke()
        end()
        logs.append(log)
        outputs.append(None if output is None else np.asarray(output).ravel().tolist())
    with open("/proc/self/maps", encoding="ascii") as maps:
        print(json.dumps({"maps": maps.read(), "logs": logs, "outputs": outputs}))


if __name__ == "__main__":
    main()
