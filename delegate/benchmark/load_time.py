#!/usr/bin/env python3
"""Times what the delegate adds to loading a model, in turns with loading it alone.

    bazel build //delegate:libtflite_eq_delegate.so
    python delegate/benchmark/load_time.py --model model.tflite [--limit_ms 5]

Opening the library is part of every round; the first time of all is printed too. With --limit_ms
the exit code tells whether
the difference of the medians stays below it: a model that cannot profit must cost next to nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import statistics
import sys
import time

RUNTIMES = {
    "tensorflow": "tensorflow.lite.python.interpreter",
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--runtime", choices=RUNTIMES, default="ai_edge_litert")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--limit_ms", type=float)
    parser.add_argument(
        "--delegate", default=str(root / "bazel-bin/delegate/libtflite_eq_delegate.so")
    )
    arguments = parser.parse_args()
    runtime = importlib.import_module(RUNTIMES[arguments.runtime])
    model = pathlib.Path(arguments.model).read_bytes()

    def milliseconds(with_delegate: bool) -> tuple[float, float, list[str]]:
        """Opening the delegate, that and making the interpreter ready, and the nodes it then
        has."""
        start = time.perf_counter()
        delegates = (
            [runtime.load_delegate(arguments.delegate, {"log_level": "0"})]
            if with_delegate
            else None
        )
        opened = time.perf_counter()
        interpreter = runtime.Interpreter(
            model_content=model, num_threads=1, experimental_delegates=delegates
        )
        interpreter.allocate_tensors()
        ready = time.perf_counter()
        names = [d["op_name"] for d in interpreter._get_ops_details()]
        return (opened - start) * 1e3, (ready - start) * 1e3, names

    _, _, nodes_alone = milliseconds(False)  # the runtime's own first time
    first_open, _, nodes = milliseconds(True)
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(arguments.rounds):
        for with_delegate in (False, True):
            times[with_delegate].append(milliseconds(with_delegate)[1])
    added = statistics.median(times[True]) - statistics.median(times[False])
    print(
        json.dumps(
            {
                "model": pathlib.Path(arguments.model).name,
                "runtime": arguments.runtime,
                "claims": nodes != nodes_alone,
                "first_open_ms": round(first_open, 3),
                "alone_ms": {
                    "min": round(min(times[False]), 3),
                    "median": round(statistics.median(times[False]), 3),
                },
                "delegate_ms": {
                    "min": round(min(times[True]), 3),
                    "median": round(statistics.median(times[True]), 3),
                },
                "added_ms": round(added, 3),
            }
        )
    )
    return int(arguments.limit_ms is not None and added >= arguments.limit_ms)


if __name__ == "__main__":
    sys.exit(main())
