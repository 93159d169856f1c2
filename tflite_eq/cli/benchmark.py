"""``tflite-eq benchmark``: a model with and without the delegate, in turns."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from tflite_eq.cli.flags import (
    add_delegate_flags,
    add_preprocessing_flags,
    add_runtime_flag,
    check_runtime_names,
    check_threads,
    delegate_options_from,
    note_unused,
    preprocessing_from,
)
from tflite_eq.cli.models import read_tflite
from tflite_eq.cli.result import add_json_flag, json_alone, tell
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_data
from tflite_eq.delegate.benchmark import Benchmark, benchmark
from tflite_eq.delegate.claims import counted
from tflite_eq.delegate.inputs import typed_inputs
from tflite_eq.delegate.library import check_options
from tflite_eq.delegate.verdict import Speed
from tflite_eq.delegate.work import check_computes_with_codes, nothing_to_run
from tflite_eq.errors import ConfigError
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.report.table import align, short_names
from tflite_eq.runtimes import preferred_runtime, runtime_named


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "benchmark",
        help=summary,
        description="Time a quantized model with and without the delegate, in turns. What the "
        "delegate leaves runs on the runtime's default kernels.",
    )
    parser.add_argument("--model", required=True, metavar="Q.tflite", help="a quantized model")
    parser.add_argument("--num_runs", type=int, default=50, metavar="N", help="runs (50)")
    parser.add_argument(
        "--warmup_runs", type=int, default=3, metavar="N", help="runs that do not count (3)"
    )
    parser.add_argument(
        "--dataset",
        action="append",
        metavar="[NAME=]PATH",
        help="run on the first sample of this, as for --calibration of quantize (random values)",
    )
    add_preprocessing_flags(parser)
    add_delegate_flags(parser)
    add_runtime_flag(parser, "what to run on; may be repeated (the first installed)")
    add_json_flag(parser)
    parser.set_defaults(run=run)


@json_alone
def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend.
    """
    if args.num_runs < 1 or args.warmup_runs < 0:
        raise ConfigError(
            f"--num_runs {args.num_runs} --warmup_runs {args.warmup_runs}: at least one run, and "
            "no fewer than 0 before it, are needed"
        )
    threads = 1 if args.num_threads is None else args.num_threads
    check_threads(threads)
    preprocessing = preprocessing_from(args)
    check_runtime_names(args)
    options = delegate_options_from(args)
    check_options(options)
    model = read_tflite(args.model)
    graph = Graph.from_bytes(model, args.model)
    check_computes_with_codes(graph)
    sample = _sample(args, graph, preprocessing)
    runtimes = [runtime_named(n) for n in args.runtime] if args.runtime else [preferred_runtime()]
    results = []
    for runtime in runtimes:
        result = benchmark(
            model,
            runtime,
            threads=threads,
            warmup_runs=args.warmup_runs,
            runs=args.num_runs,
            options=options,
            origin=args.model,
            sample=sample,
        )
        print(_text(result, graph), flush=True)
        results.append(dataclasses.asdict(result))
    tell(args, {"model": args.model, "runtimes": results})
    return 0


def _sample(
    args: argparse.Namespace, graph: Graph, preprocessing: Preprocessing
) -> list[Any] | None:
    """What to run the model on; ``None`` leaves that to chance."""
    if args.dataset is None:
        return None
    opened = open_data(args.dataset, model_inputs(graph), preprocessing, "--dataset")
    note_unused(args, opened.preprocessing)
    return next(typed_inputs(graph, opened.select([0])))


def _text(result: Benchmark, graph: Graph) -> str:
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    count = counted(result.claimed, result.known, result.operators)
    lines = [f"{result.runtime}, {result.peer}, {threads}: {count}"]
    if result.without is None or result.delegated is None:
        command = f"'tflite-eq explain --model {graph.origin}' tells why"
        lines.append(
            "Verdict: equal, 1.00 times the speed: nothing is delegated, both sides are the same; "
            f"{command if result.known else nothing_to_run(graph)}."
        )
        return "\n".join(lines) + "\n"
    lines[0] += "; milliseconds, minimum and median"
    lines.append(_kind_table(result))
    lines.append(_layer_table(result))
    lines.append(
        "These are the delegated operators that take most time; they are cut out and run alone, in "
        "turns, but for the last column. Alone they find caches that a network would use, and pay "
        "for switches that it does not have: only the whole model's figures decide."
    )
    rows: list[tuple[str, ...]] = [("", "min", "median", "first run", "memory MiB")]
    for name, side in (("without", result.without), ("with delegate", result.delegated)):
        figures = (side.times.min, side.times.median, side.first_run_ms, side.memory_mib)
        rows.append((name, *(f"{figure:.4g}" for figure in figures)))
    without, delegated = result.without.times, result.delegated.times
    ratios = (without.min / delegated.min, without.median / delegated.median)
    rows.append(("times faster", *(f"{ratio:.2f}" for ratio in ratios), "", ""))
    lines += [align(rows), _verdict(result)]
    return "\n".join(lines) + "\n"


def _verdict(result: Benchmark) -> str:
    verdict = result.verdict
    told = (
        f"Verdict: {verdict.speed}, {verdict.ratio:.2f} times the speed of {result.peer} "
        f"({verdict.low:.2f} to {verdict.high:.2f} in {verdict.pairs} pairs)"
    )
    if verdict.speed == Speed.UNDECIDED.value:
        told += f"; more runs tell: --num_runs {max(50, 4 * verdict.pairs)}"
    if result.leave:
        told += f"; to leave the layers responsible: --leave='{result.leave}'"
    return told


def _kind_table(result: Benchmark) -> str:
    rows = [("operator", "in the model", "delegated", "in network")]
    rows += [
        (kind.kind, str(kind.operators), str(kind.claimed), f"{kind.in_network_ms:.4f}")
        for kind in result.kinds
    ]
    return align(rows)


def _layer_table(result: Benchmark) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "layer",
            "operator",
            "kernel",
            "without",
            "median",
            "delegate",
            "median",
            "faster",
            "in network",
        )
    ]
    for name, layer in zip(short_names([n.name for n in result.layers]), result.layers):
        figures = (
            layer.without.min,
            layer.without.median,
            layer.delegated.min,
            layer.delegated.median,
        )
        rows.append(
            (
                name,
                layer.kind,
                layer.kernel,
                *(f"{figure:.4f}" for figure in figures),
                f"{layer.without.min / layer.delegated.min:.2f}",
                f"{layer.in_network_ms:.4f}",
            )
        )
    return align(rows)
