#!/usr/bin/env python3
"""Times whole int8 models, or chains of five layers, with and without the delegate, in turns on the
same runtime, XNNPACK on in both: a slow spell of the machine hits all alike.

    bazel build //delegate:libtflite_eq_delegate.so
    python -m delegate.benchmark.compare --model resnet18 --model path/to/model.tflite --int7
    python -m delegate.benchmark.compare --layer 56x64x64 --layer 28x64x128x1 --depthwise 112x32x3x2
    python -m delegate.benchmark.compare --operator PRELU:56x96 --operator MAX_POOL_2D:56x96x3x2
    python -m delegate.benchmark.compare --model path/to/model.tflite --load --limit_ms 5

A model is one of the shapes of networks.py, a .tflite, or a Keras .h5, which is quantized here on
random inputs. --int7 also times an INT7 version: weights on the even-triplet lattice, 7-bit
activation codes.

--layer takes SIZExINxOUT[xFILTER[xSTRIDE]], --depthwise the same without OUT; of a layer every
kernel that may pay is timed by name beside the policy's choice, claimed however little it saves,
and the exit code is 1 if a layer that the policy claims ran at less than 0.98 times the runtime's
speed. --operator, KIND:SIZExCHANNELS[xFILTERxSTRIDE], times an operator without weights alone in a
model, on every instruction set.

--load times what the delegate adds to loading a model instead, opening its library included; with
--limit_ms the exit code is 1 if that is as much by median.

Preloaded (LD_PRELOAD), bazel-bin/delegate/benchmark/libhide_instructions.so makes all sides run on
AVX2, or without AMX.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from delegate.benchmark import networks
from tflite_eq.delegate import library
from tflite_eq.delegate.benchmark import Contender, Options, Times, serve_model
from tflite_eq.delegate.binding import kernels
from tflite_eq.delegate.inputs import typed_inputs
from tflite_eq.delegate.verdict import judge
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime, runtime_named

WARMUP_ROUNDS = 3
LEAST_GAIN = 0.98
ALONE, DELEGATE = "runtime", "delegate"
# By what an INT8 or INT7 layer may be run.
KERNELS = {"INT8": ("winograd_f43", "direct"), "INT7": ("winograd_1d", "winograd_f43")}
VERSIONS: dict[str, Callable[[bytes], bytes]] = {
    "INT8": lambda model: model,
    "INT7": networks.to_int7,
    "INT7 plain": lambda model: networks.to_int7(model, plain=True),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, or a chain of ``layers`` that multiply so often, and the delegate's options by the
    contender's name."""

    name: str
    model: bytes
    contenders: dict[str, Options]
    layers: int = 1
    multiplications: int = 0  # of a layer
    values: int = 0  # of an operator's input, or output where that has more


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    for name in arguments.model:
        model = networks.load(name)
        for version in ("INT8", "INT7")[: 1 + arguments.int7]:
            label = pathlib.Path(name).stem + " INT7" * (version == "INT7")
            yield Case(label, VERSIONS[version](model), {DELEGATE: {}})
    for chain in arguments.layer:
        model = chain.model()
        for version in arguments.values or VERSIONS:
            named = ("depthwise",) if chain.depthwise else KERNELS[version.split()[0]]
            contenders: dict[str, Options] = {DELEGATE: {"min_saving": 0}}
            contenders.update({kernel: {"kernel": kernel} for kernel in named})
            label, changed = f"{chain} {version}", VERSIONS[version](model)
            yield Case(label, changed, contenders, chain.LAYERS, chain.multiplications)
    for alone in arguments.operator:
        size, channels, *_ = alone.sizes
        values = size * size * channels * (4 if alone.kind == "RESIZE_BILINEAR" else 1)
        instructions = dict.fromkeys(isa for _, isa in kernels.kernels())
        on_each: dict[str, Options] = {
            isa: {"isa": isa, "claim": "."} for isa in instructions if kernels.cpu_supports(isa)
        }
        yield Case(str(alone), alone.model(), on_each, values=values)


def compare(
    case: Case, runtime: Runtime, threads: int, rounds: int, options: Options
) -> dict[str, Any]:
    """Times and gains of all contenders, each in a process of its own."""
    graph = Graph.from_bytes(case.model)
    rng = np.random.default_rng(1)
    real = {i.name: rng.normal(size=i.shape).astype(np.float32) for i in model_inputs(graph)}
    (sample,) = typed_inputs(graph, [real])
    with contextlib.ExitStack() as stack:
        common = (serve_model, case.model, sample, runtime, threads)
        contenders = {ALONE: stack.enter_context(Contender(*common, None))}
        for name, chosen in case.contenders.items():
            given = {**chosen, **options, "num_threads": threads}
            contenders[name] = stack.enter_context(Contender(*common, given))
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(WARMUP_ROUNDS + rounds):
            # Each is first as often: who follows finds caches and clocks as another left them.
            for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
                elapsed = contenders[name].ask() / case.layers
                if number >= WARMUP_ROUNDS:
                    times[name].append(elapsed)
        for contender in contenders.values():
            contender.ask("profile")  # which is what the delegate prints else
    return {
        "model": case.name,
        "runtime": runtime.description,
        "peer": contenders[ALONE].greeting[3],
        "threads": threads,
        "multiplications": case.multiplications,
        "values": case.values,
        "milliseconds": {n: dataclasses.asdict(Times.of(t)) for n, t in times.items()},
        "gain": {n: dataclasses.asdict(judge(times[ALONE], times[n])) for n in case.contenders},
        "first_run_ms": {n: c.greeting[0] for n, c in contenders.items()},
        "claimed": {
            n: sorted({claim.reason.split(":")[0] for claim in c.greeting[2] if claim.claimed})
            for n, c in contenders.items()
        },
    }


def is_slower(row: dict[str, Any]) -> bool:
    """Whether what the policy claims is below LEAST_GAIN by minimum and by median both."""
    fastest = row["milliseconds"][ALONE]["min"] / row["milliseconds"][DELEGATE]["min"]
    return bool(row["claimed"][DELEGATE]) and max(fastest, row["gain"][DELEGATE]["ratio"]) < (
        LEAST_GAIN
    )


def text(row: dict[str, Any]) -> str:
    lines = [f"{row['model']}, {row['runtime']}, {row['peer']}, {row['threads']} thread(s)"]
    alone = row["milliseconds"][ALONE]
    for name, times in row["milliseconds"].items():
        line = f"  {name:14s} {times['min']:9.4f} min {times['median']:9.4f} median ms"
        if row["multiplications"]:
            line += f"  {row['multiplications'] / times['min'] / 1e6:6.1f} GMAC/s"
        if row["values"]:
            line += f"  {times['min'] / row['values'] * 1e6:6.3f} ns a value"
        line += f"  first run {row['first_run_ms'][name]:.0f} ms"
        if name != ALONE:
            gain = row["gain"][name]
            line += (
                f"  {alone['min'] / times['min']:.2f}x min {alone['median'] / times['median']:.2f}x"
                f" median, {gain['speed']} ({gain['low']:.2f} to {gain['high']:.2f})"
                f"  {', '.join(row['claimed'][name]) or 'nothing claimed'}"
            )
        lines.append(line)
    return "\n".join(lines)


def loading(name: str, runtime: Runtime, rounds: int) -> dict[str, Any]:
    """What the delegate adds to loading a model, in turns with loading it alone."""
    model = networks.load(name)

    def milliseconds(with_delegate: bool) -> float:
        start = time.perf_counter()
        delegates = [library.load(runtime, log_level=0)] if with_delegate else []
        runtime.interpreter(model, Kernels.DEFAULT, 1, delegates).allocate_tensors()
        return (time.perf_counter() - start) * 1e3

    sides = {ALONE: False, DELEGATE: True}
    first = {side: milliseconds(with_delegate) for side, with_delegate in sides.items()}
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, with_delegate in sides.items():
            times[side].append(milliseconds(with_delegate))
    added = statistics.median(times[DELEGATE]) - statistics.median(times[ALONE])
    return {
        "model": pathlib.Path(name).name,
        "runtime": runtime.description,
        "first_ms": first,
        "milliseconds": {side: dataclasses.asdict(Times.of(t)) for side, t in times.items()},
        "added_ms": round(added, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--layer", action="append", type=networks.Chain.parse, default=[])
    parser.add_argument(
        "--depthwise", action="append", dest="layer", type=networks.Chain.parse_depthwise
    )
    parser.add_argument("--operator", action="append", type=networks.Alone.parse, default=[])
    parser.add_argument("--int7", action="store_true")
    parser.add_argument("--values", action="append", choices=VERSIONS, help="of layers; all")
    parser.add_argument("--threads", type=int, action="append", help="may be repeated (1)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--runtime", action="append", help="as for tflite-eq benchmark")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=lambda option: tuple(option.split("=", 1)),
        metavar="NAME=VALUE",
        help="an option of the delegate, e.g. isa=avx2",
    )
    parser.add_argument("--load", action="store_true", help="time loading instead")
    parser.add_argument("--limit_ms", type=float)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if not (arguments.model or arguments.layer or arguments.operator):
        parser.error("nothing to time: --model, --layer or --operator")
    if arguments.load and not arguments.model:
        parser.error("--load times models: --model")
    runtimes = [runtime_named(n) for n in arguments.runtime or []] or [preferred_runtime()]
    rows, slow = [], False
    if arguments.load:
        for name in arguments.model:
            rows += [loading(name, runtime, arguments.rounds) for runtime in runtimes]
        print(json.dumps(rows, indent=2))
        limit = float("inf") if arguments.limit_ms is None else arguments.limit_ms
        slow = any(row["added_ms"] >= limit for row in rows)
    else:
        for case in cases(arguments):
            for runtime in runtimes:
                for threads in arguments.threads or [1]:
                    row = compare(case, runtime, threads, arguments.rounds, dict(arguments.option))
                    rows.append(row)
                    slow |= case.layers > 1 and is_slower(row)
                    print(text(row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
