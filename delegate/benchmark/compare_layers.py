#!/usr/bin/env python3
"""Which kernel is fastest for which size and number of channels: a grid of 3x3 layers, stride 1, against
the runtime's own kernels.

    bazel build //delegate:libtflite_eq_delegate.so
    python delegate/benchmark/compare_layers.py --size 10 --size 20 --channels 32 --channels 64

Chains of five layers with distinct weights inside one runtime, without the delegate and with every
kernel by name, in turns in one process: a slow spell of the machine hits all of them alike.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "delegate/runtime_tests")]

import numpy as np
from one_conv_model import Chain, build, random_conv

from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime, runtime_named
from tflite_eq.delegate import library

LAYERS = 5
KERNELS = {
    "int8": ("winograd_f43", "direct"),
    "even_triplets": ("winograd_1d", "winograd_f43"),
    "plain_int7": ("winograd_1d", "winograd_f43"),
}


def make_model(size: int, inputs: int, outputs: int, values: str) -> bytes:
    convs, scale = [], 0.05
    for index in range(LAYERS):
        ends = (inputs, outputs) if index % 2 == 0 else (outputs, inputs)
        conv = random_conv(np.random.default_rng(index), *ends, values=values, output_zero_point=0)
        # Codes of a deviation of 8 in every channel at most: blocks that hold one outside INT7's window
        # are computed anew.
        spread = np.sqrt(9 * ends[0]) * 74 * (8 if index else 37)
        scale *= float(spread * conv.filter_scales.max() / 8)
        conv.output_scale = scale
        conv.bias //= 16
        convs.append(conv)
    return build(Chain((1, size, size, inputs), 0.05, 0, convs))


def interpreter_of(runtime: Runtime, model: bytes, threads: int, options):
    delegates = [] if options is None else [library.load(runtime, num_threads=threads, **options)]
    interpreter = runtime.interpreter(model, Kernels.DEFAULT, threads, delegates)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    codes = np.random.default_rng(0).integers(-64, 64, details["shape"]).astype(np.int8)
    interpreter.set_tensor(details["index"], codes)
    for _ in range(3):
        interpreter.invoke()
    return interpreter


def measure(runtime, size, inputs, outputs, values, threads, rounds):
    model = make_model(size, inputs, outputs, values)
    its = {"runtime": interpreter_of(runtime, model, threads, None)}
    for kernel in ("auto", *KERNELS[values]):
        its[kernel] = interpreter_of(runtime, model, threads, {"kernel": kernel, "log_level": 0})
    times = {n: [] for n in its}
    for _ in range(rounds):
        for n, it in its.items():
            start = time.perf_counter()
            it.invoke()
            times[n].append((time.perf_counter() - start) * 1e6 / LAYERS)
    base = times["runtime"]
    return {
        n: (min(t), min(base) / min(t), statistics.median(a / b for a, b in zip(base, t)))
        for n, t in times.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--channels", action="append")
    parser.add_argument("--values", action="append")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--runtime")
    a = parser.parse_args()
    runtime = runtime_named(a.runtime) if a.runtime else preferred_runtime()
    for values in a.values or ("int8", "even_triplets"):
        for ch in a.channels:
            i, o = (int(c) for c in (ch.split("x") * 2)[:2])
            for size in a.size:
                r = measure(runtime, size, i, o, values, a.threads, a.rounds)
                mac = size * size * 9 * i * o / 1e6
                print(f"{values:13s} {size:3d} {i:3d}->{o:<3d} {mac:6.2f}M t{a.threads} " + "  ".join(
                    f"{n} {t[0]:.1f}us {t[1]:.2f}/{t[2]:.2f}" for n, t in r.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
