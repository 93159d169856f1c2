"""Runs one of the modules beside it in this environment.

usage: main.py RUNNER            say on stdout, as JSON, which modules RUNNER misses here
       main.py RUNNER REQUEST    do what the JSON file REQUEST asks

A request is {"model": file, "samples": .npy file of shape [samples, ...], "options": {...},
"output": file to write, "answer": JSON file to write}. The answer is {"versions": {...}} or
{"error": text}.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import traceback
from pathlib import Path
from typing import Any


def missing_modules(runner: Any) -> list[str]:
    """What the runner needs and this environment has not."""
    return [name for name in runner.MODULES if importlib.util.find_spec(name) is None]


def answer(runner: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Quantize and write the model; an error of the quantizer's is an answer, too."""
    import numpy as np

    samples = [sample[np.newaxis] for sample in np.load(request["samples"])]
    try:
        quantized = runner.quantize(Path(request["model"]), samples, **request["options"])
    except Exception as error:  # whatever the quantizer runs into
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}"}
    Path(request["output"]).write_bytes(quantized)
    return {"versions": runner.versions()}


def main() -> None:
    """Command line: see the module's docstring."""
    runner = importlib.import_module(sys.argv[1])
    if len(sys.argv) == 2:
        print(json.dumps(missing_modules(runner)))
        return
    request = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    Path(request["answer"]).write_text(json.dumps(answer(runner, request)))


if __name__ == "__main__":
    main()
