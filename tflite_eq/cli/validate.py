"""``tflite-eq validate``: the delegate against the reference kernels, code for code."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
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
    runtimes_from,
)
from tflite_eq.cli.models import read_tflite
from tflite_eq.cli.result import add_json_flag, json_alone, tell
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_data, subset
from tflite_eq.delegate.claims import counted
from tflite_eq.delegate.golden import GoldenRun, content_of, read
from tflite_eq.delegate.library import check_options
from tflite_eq.delegate.reference_form import NoReferenceError
from tflite_eq.delegate.validate import Validation, validate
from tflite_eq.delegate.work import check_computes_with_codes, known_operators, nothing_to_run
from tflite_eq.errors import ConfigError
from tflite_eq.files import check_writable, write_atomically
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note
from tflite_eq.report.table import align, short_names

_SAMPLES = 4


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "validate",
        help=summary,
        description="Run a quantized model with the delegate and on TFLite's reference kernels, "
        "on every installed runtime, and compare what every delegated operator writes and every "
        "output bit for bit. The exit code is 1 if anything differs.",
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
    files = parser.add_argument_group("golden files")
    files.add_argument(
        "--golden",
        metavar="FILE",
        help="write the inputs and the outputs there if nothing differs, for other machines to "
        "compare theirs with: by --check_golden, or by eq_benchmark --golden=FILE",
    )
    files.add_argument(
        "--check_golden",
        metavar="FILE",
        help="take the inputs from such a file, and compare the outputs with its, too",
    )
    add_delegate_flags(parser)
    add_runtime_flag(parser, "check this one only; may be repeated (all installed)")
    add_json_flag(parser)
    parser.set_defaults(run=run)


@json_alone
def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend.
    """
    golden = _golden_to_check(args)
    if args.golden is not None:
        check_writable(args.golden)
    count = _SAMPLES if args.samples is None else args.samples
    if count < 1:
        raise ConfigError(f"--samples {count}: at least one sample is needed")
    preprocessing = preprocessing_from(args)
    check_threads(args.num_threads, least=0)
    check_runtime_names(args)
    options = delegate_options_from(args)
    check_options(options)
    model = read_tflite(args.model)
    graph = Graph.from_bytes(model, args.model)
    check_computes_with_codes(graph)
    if not known_operators(graph) and golden is None and args.golden is None:
        print(f"Nothing to validate: {nothing_to_run(graph)}.")
        return _finished(args, [], graph)
    samples = _samples(args, graph, preprocessing, count)
    results: list[Validation] = []
    refusal: NoReferenceError | None = None
    for runtime in runtimes_from(args):
        # Every other runtime is to compute what the first has computed.
        try:
            result = validate(
                model,
                runtime,
                samples=samples,
                seed=args.seed,
                options=options,
                origin=args.model,
                keep_run=args.golden is not None and not results,
                golden=golden if not results or golden is not None else results[0].golden,
            )
        except NoReferenceError as error:
            if args.runtime:
                raise
            refusal = error
            note(f"note: left out: {error}")
            continue
        print(_text(result, graph), flush=True)
        results.append(result)
    if refusal is not None and not results:
        raise refusal
    if args.golden is not None:
        _write_golden(results, args.model, args.golden)
    return _finished(args, results, graph)


def _golden_to_check(args: argparse.Namespace) -> GoldenRun | None:
    if args.check_golden is None:
        return None
    for flag in ("golden", "samples", "dataset"):
        if getattr(args, flag) is not None:
            raise ConfigError(
                f"--check_golden takes the inputs from {args.check_golden}: leave --{flag} away"
            )
    return read(args.check_golden)


def _write_golden(results: Sequence[Validation], model: str, path: str) -> None:
    run = results[0].golden
    assert run is not None
    if any(result.first_wrong for result in results):
        print(f"Not written, since outputs differ: {path}")
        return
    write_atomically(path, content_of(run))
    print(
        f"Written: {path}, {len(run.samples)} samples. Elsewhere 'tflite-eq validate --model "
        f"{model} --check_golden {path}' or eq_benchmark --golden={path} compares."
    )


def _finished(args: argparse.Namespace, results: Sequence[Validation], graph: Graph) -> int:
    figures = [_figures(result, graph) for result in results]
    tell(args, {"runtimes": figures})
    return 1 if any(result.first_wrong for result in results) else 0


def _samples(
    args: argparse.Namespace, graph: Graph, preprocessing: Preprocessing, count: int
) -> Any:
    if args.dataset is None:
        return count
    opened = open_data(args.dataset, model_inputs(graph), preprocessing, "--dataset")
    note_unused(args, opened.preprocessing)
    return subset(opened, count, args.seed)


def _text(result: Validation, graph: Graph) -> str:
    claimed = sum(claim.claimed for claim in result.claims)
    lines = [f"{result.runtime}: {counted(claimed, len(result.claims), len(graph.operators))}"]
    if not result.comparisons:
        lines.append(
            "Nothing was delegated, so there is nothing to compare and nothing was run; "
            f"'tflite-eq explain --model {graph.origin}' tells why."
        )
        return "\n".join(lines) + "\n"
    rows: list[Sequence[str]] = [("layer", "operator", "values", "differing", "computed by")]
    names = short_names([c.name for c in result.comparisons])
    for name, comparison in zip(names, result.comparisons):
        counts = (str(comparison.values), str(comparison.differing))
        rows.append((name, comparison.kind, *counts, comparison.kernel))
    lines.append(align(rows))
    wrong = result.first_wrong
    if wrong is not None:
        assert wrong.first is not None
        what = f"{wrong.name} ({' by '.join(filter(None, (wrong.kind, wrong.kernel)))})"
        lines.append(f"DIFFERENT first in {what}: {wrong.first}")
    else:
        lines.append("Bit for bit the same as the reference kernels.")
    lines.append(
        f"Hash of the outputs: {result.outputs_hash}, of the inputs: {result.inputs_hash}. Any "
        "machine that computes the same from the same inputs gives the same."
    )
    return "\n".join(lines) + "\n"


def _figures(result: Validation, graph: Graph) -> dict[str, Any]:
    wrong = result.first_wrong
    return {
        "runtime": result.runtime,
        "operators": len(graph.operators),
        "known": len(result.claims),
        "delegated": sum(claim.claimed for claim in result.claims),
        "values": sum(c.values for c in result.comparisons),
        "differing": sum(c.differing for c in result.comparisons),
        "first": {"layer": wrong.name, **dataclasses.asdict(wrong)["first"]} if wrong else None,
        "inputs_hash": result.inputs_hash,
        "outputs_hash": result.outputs_hash,
    }
