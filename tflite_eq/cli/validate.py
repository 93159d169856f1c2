"""``tflite-eq validate``: the delegate against the reference kernels, code for code."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from tflite_eq.cli.flags import (
    add_delegate_flags,
    add_preprocessing_flags,
    add_runtime_flag,
    delegate_options_from,
    note_unused,
    preprocessing_from,
    runtimes_from,
)
from tflite_eq.cli.models import read_tflite
from tflite_eq.data.sources import open_data, subset
from tflite_eq.delegate.validate import OUTPUT, Validation, validate
from tflite_eq.errors import ConfigError
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.report.table import align, short_names

_SAMPLES = 4


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "validate",
        help=summary,
        description="Run a quantized model with the delegate and on TFLite's reference kernels, "
        "on every installed runtime, and compare every delegated layer and every output bit for "
        "bit. The exit code is 1 if anything differs.",
    )
    parser.add_argument("--model", required=True, metavar="Q.tflite", help="a quantized model")
    data = parser.add_argument_group("inputs")
    data.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help=f"number of samples ({_SAMPLES}); random ones unless a data set is named",
    )
    data.add_argument(
        "--dataset",
        action="append",
        metavar="[NAME=]PATH",
        help="samples, as for --calibration of quantize; repeat the flag for several inputs",
    )
    data.add_argument("--seed", type=int, default=0, metavar="N", help="seeds the samples (0)")
    add_preprocessing_flags(parser)
    add_delegate_flags(parser)
    add_runtime_flag(parser, "check this one only; may be repeated (all installed)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend.
    """
    model = read_tflite(args.model)
    samples = _samples(args, Graph.from_bytes(model, args.model))
    options = delegate_options_from(args)
    results = []
    for runtime in runtimes_from(args):
        result = validate(
            model, runtime, samples=samples, seed=args.seed, options=options, origin=args.model
        )
        print(_table(result), flush=True)
        results.append(result)
    print(f"RESULT {json.dumps({'runtimes': [_figures(result) for result in results]})}")
    return 1 if any(result.first_wrong for result in results) else 0


def _samples(args: argparse.Namespace, graph: Graph) -> Any:
    count = _SAMPLES if args.samples is None else args.samples
    if count < 1:
        raise ConfigError(f"--samples {count}: at least one sample is needed")
    if args.dataset is None:
        return count
    opened = open_data(args.dataset, model_inputs(graph), preprocessing_from(args), "--dataset")
    note_unused(args, opened.preprocessing)
    return subset(opened, count, args.seed)


def _table(result: Validation) -> str:
    rows: list[Sequence[str]] = [("layer", "values", "differing", "computed by")]
    names = short_names([c.name for c in result.comparisons])
    for name, comparison in zip(names, result.comparisons):
        counts = (str(comparison.values), str(comparison.differing))
        rows.append((name, *counts, comparison.kernel))
    claimed = sum(claim.claimed for claim in result.claims)
    lines = [
        f"{result.runtime}: {claimed} of {len(result.claims)} convolutions delegated",
        align(rows),
    ]
    wrong = result.first_wrong
    if wrong is not None:
        assert wrong.first is not None
        what = wrong.name if wrong.kernel == OUTPUT else f"{wrong.name} ({wrong.kernel})"
        lines.append(f"DIFFERENT first in {what}: {wrong.first}")
    elif claimed:
        lines.append("Bit for bit the same as the reference kernels.")
    else:
        lines.append("Nothing was delegated, so there was nothing to compare; see explain.")
    return "\n".join(lines) + "\n"


def _figures(result: Validation) -> dict[str, Any]:
    wrong = result.first_wrong
    return {
        "runtime": result.runtime,
        "convolutions": len(result.claims),
        "delegated": sum(claim.claimed for claim in result.claims),
        "values": sum(c.values for c in result.comparisons),
        "differing": sum(c.differing for c in result.comparisons),
        "first": {"layer": wrong.name, **dataclasses.asdict(wrong)["first"]} if wrong else None,
    }
