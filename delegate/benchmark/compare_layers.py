#!/usr/bin/env python3
"""Which kernel is fastest for which size and number of channels: 3x3 layers with stride 1 against
the runtime's own kernels.

    bazel build //delegate:libtflite_eq_delegate.so
    python delegate/benchmark/compare_layers.py --size 10 --size 20 --channels 32 --channels 64x128

Chains of five layers with distinct weights inside one runtime: without the delegate, with every
kernel by name, and with the policy's choice, claimed however little the chain saves. All take turns
in one process, so that a slow spell of the machine hits all of them alike. Times are minima in
microseconds per layer, gains medians over the pairs. The exit code is 1 if a layer that the policy
claims ran at less than 0.98 times the runtime's speed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "delegate/runtime_tests")]

import numpy as np  # noqa: E402
from one_conv_model import Chain, build, random_conv  # noqa: E402

from tflite_eq.delegate import library  # noqa: E402
from tflite_eq.delegate.claims import captured_stderr, parse_claims  # noqa: E402
from tflite_eq.delegate.peer import peer_instructions  # noqa: E402
from tflite_eq.delegate.verdict import judge  # noqa: E402
from tflite_eq.graph.model import Graph  # noqa: E402
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime, runtime_named  # noqa: E402

LAYERS = 5
LEAST_GAIN = 0.98
KERNELS = {
    "int8": ("winograd_f43", "direct"),
    "even_triplets": ("winograd_1d", "winograd_f43"),
    "plain_int7": ("winograd_1d", "winograd_f43"),
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """Of LAYERS in a chain, which go there and back between the numbers of channels."""

    values: str
    size: int
    inputs: int
    outputs: int

    def __str__(self) -> str:
        return f"{self.values} {self.size}x{self.size}x{self.inputs}->{self.outputs}"


def make_model(layer: Layer) -> bytes:
    convs, scale = [], 0.05
    for index in range(LAYERS):
        ends = (layer.inputs, layer.outputs)[:: 1 if index % 2 == 0 else -1]
        rng = np.random.default_rng(index)
        conv = random_conv(rng, *ends, values=layer.values, output_zero_point=0)
        # Codes with a deviation of 8 in every channel at most: a block that holds one outside of
        # INT7's window is computed twice.
        spread = np.sqrt(9 * ends[0]) * 74 * (8 if index else 37)
        scale *= float(spread * conv.filter_scales.max() / 8)
        conv.output_scale = scale
        conv.bias //= 16
        convs.append(conv)
    return build(Chain((1, layer.size, layer.size, layer.inputs), 0.05, 0, convs))


def make_interpreter(
    runtime: Runtime, model: bytes, threads: int, options: dict[str, Any] | None
) -> tuple[Any, set[str]]:
    """An interpreter that has run, and the kernels of the delegate in it."""
    with captured_stderr() as log:
        delegates = []
        if options is not None:
            delegates = [library.load(runtime, num_threads=threads, log_level=2, **options)]
        interpreter = runtime.interpreter(model, Kernels.DEFAULT, threads, delegates)
        interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    codes = np.random.default_rng(0).integers(-64, 64, details["shape"]).astype(np.int8)
    interpreter.set_tensor(details["index"], codes)
    for _ in range(3):
        interpreter.invoke()
    claims = parse_claims(log.getvalue(), Graph.from_bytes(model))
    return interpreter, {claim.kernel for claim in claims if claim.claimed}


def measure(runtime: Runtime, layer: Layer, threads: int, rounds: int) -> dict[str, Any]:
    """Times and gains of all contenders, and what the policy claims."""
    model = make_model(layer)
    options: dict[str, dict[str, Any] | None] = {"runtime": None, "policy": {"min_saving": 0}}
    options.update({kernel: {"kernel": kernel} for kernel in KERNELS[layer.values]})
    contenders, claimed = {}, set()
    for name, chosen in options.items():
        contenders[name], kernels = make_interpreter(runtime, model, threads, chosen)
        if name == "policy":
            claimed = kernels
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            contenders[name].invoke()  # whose threads are awake then, and those of others asleep
            start = time.perf_counter()
            contenders[name].invoke()
            times[name].append((time.perf_counter() - start) * 1e6 / LAYERS)
    return {
        "layer": str(layer),
        "threads": threads,
        "claimed": sorted(claimed),
        "microseconds": {name: min(t) for name, t in times.items()},
        "gain": {
            name: dataclasses.asdict(judge(times["runtime"], t))
            for name, t in times.items()
            if name != "runtime"
        },
    }


def is_slower(row: dict[str, Any]) -> bool:
    """Whether a claimed layer is below LEAST_GAIN by minimum and by median both."""
    fastest = row["microseconds"]["runtime"] / row["microseconds"]["policy"]
    return bool(row["claimed"]) and max(fastest, row["gain"]["policy"]["ratio"]) < LEAST_GAIN


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, action="append", required=True)
    parser.add_argument("--channels", action="append", required=True, metavar="IN[xOUT]")
    parser.add_argument("--values", action="append", choices=list(KERNELS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--runtime", help="as for tflite-eq benchmark")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    runtime = runtime_named(arguments.runtime) if arguments.runtime else preferred_runtime()
    peer = f"{runtime.description}, {peer_instructions(runtime.name, runtime.version)}"
    print(f"{peer}, {arguments.threads} thread(s)")
    rows = []
    for values in arguments.values or list(KERNELS):
        for channels in arguments.channels:
            inputs, _, outputs = channels.partition("x")
            for size in arguments.size:
                layer = Layer(values, size, int(inputs), int(outputs or inputs))
                row = measure(runtime, layer, arguments.threads, arguments.rounds)
                rows.append(row)
                told = [f"{layer!s:36s} {row['microseconds']['runtime']:8.1f}"]
                for name, gain in row["gain"].items():
                    told.append(f"{name} {row['microseconds'][name]:.1f} {gain['ratio']:.2f}x")
                told.append("claimed" if row["claimed"] else "left")
                print("  ".join(told) + ("  SLOWER" if is_slower(row) else ""), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"peer": peer, "layers": rows}, indent=2))
    return int(any(is_slower(row) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
