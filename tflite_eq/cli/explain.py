"""``tflite-eq explain``: what the delegate would claim of a model, and why not the rest."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from tflite_eq.cli.flags import add_policy_flags, check_threads, policy_options_from
from tflite_eq.cli.models import read_tflite
from tflite_eq.delegate.claims import Claim, counted
from tflite_eq.delegate.peer import lacks_xnnpack
from tflite_eq.delegate.work import (
    computes_in_float,
    in_words,
    nothing_to_run,
    other_operators,
    quantize_first,
)
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.report.table import align, short_names
from tflite_eq.runtimes import installed_version
from tflite_eq.targets import Target

_HOST = "host"
_WITH_VNNI = (_HOST, Target.X86_VNNI.value, Target.X86_AMX.value)
_VNNI = "avx512_vnni"  # what the library calls that instruction set


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "explain",
        help=summary,
        description="List every operator of a model that the delegate knows with what it would run "
        "it by on a CPU and what that saves, or why it would leave it to the runtime. Nothing is "
        "run.",
    )
    parser.add_argument("--model", required=True, metavar="Q.tflite", help="a quantized model")
    parser.add_argument(
        "--target",
        choices=[_HOST, *(target.value for target in Target)],
        default=_HOST,
        help="the CPU (this one)",
    )
    parser.add_argument(
        "--vnni_units",
        type=int,
        choices=(1, 2),
        help="512-bit VNNI units of x86-vnni: 2 for Intel's server cores, 1 for others (2; of this "
        "CPU: measured)",
    )
    parser.add_argument(
        "--num_threads", type=int, default=1, metavar="N", help="threads to compute with (1)"
    )
    add_policy_flags(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: The model cannot be read, or the delegate is not built.
    """
    check_threads(args.num_threads)
    if args.vnni_units is not None and args.target not in _WITH_VNNI:
        raise ConfigError(
            f"--vnni_units {args.vnni_units}: --target {args.target} has no 512-bit VNNI units; "
            "leave it out, or name another CPU: --target x86-vnni"
        )
    # Commands that do not need the compiled module must do without.
    from tflite_eq.delegate.binding import kernels
    from tflite_eq.delegate.explain import cpu_of, describe, explain, with_vnni_units

    if args.target == _HOST:
        cpu = kernels.Cpu.detect()
        if args.vnni_units is not None:
            if cpu.isa != _VNNI:
                raise ConfigError(
                    f"--vnni_units {args.vnni_units}: this CPU ({cpu.isa}) has no 512-bit VNNI "
                    "units; leave it out, or name another CPU: --target x86-vnni"
                )
            cpu = with_vnni_units(cpu, args.vnni_units)
    else:
        cpu = cpu_of(Target(args.target), args.vnni_units or 2)
    options = policy_options_from(args)
    graph = Graph.from_bytes(read_tflite(args.model), args.model)
    claims = explain(graph, cpu, args.num_threads, options)
    if args.json:
        plain = {
            "isa": cpu.isa,
            "two_vnni_units": cpu.two_vnni_units,
            "peer": cpu.peer,
        }
        decided = [dataclasses.asdict(claim) for claim in claims]
        found = {**plain, "operators": decided, "others": other_operators(graph)}
        print(json.dumps(found, indent=2))
        return 0
    if claims:
        rows = [("layer", "operator", "delegate", "saves", "because")]
        for name, claim in zip(short_names([c.name for c in claims]), claims):
            said = (
                ("yes", f"{claim.saved_multiplications * 1e-6:.2f}")
                if claim.claimed
                else ("no", "")
            )
            rows.append((name, claim.kind, *said, claim.reason))
        print(align(rows))
    print(_footer(graph, claims, describe(cpu)))
    return 0


def _footer(graph: Graph, claims: list[Claim], cpu: str) -> str:
    if not claims:
        lines = [f"{nothing_to_run(graph)}."]
    else:
        claimed = sum(claim.claimed for claim in claims)
        count = counted(claimed, len(claims), len(graph.operators), "would be delegated")
        lines = [f"{count} on {cpu}; never delegated: {in_words(other_operators(graph))}."]
    if any(claim.claimed for claim in claims):
        saved = sum(claim.saved_multiplications for claim in claims) * 1e-6
        lines.append(
            '"saves" is an estimate, in millions of XNNPACK\'s multiplications, before switches '
            f"between delegates: {saved:.1f} together. What is below 0 spares a switch."
        )
    if computes_in_float(graph):
        lines.append(f"The model computes in float; {quantize_first(graph)}")
    elif claims and lacks_xnnpack("tflite-runtime", installed_version("tflite-runtime")):
        lines.append(
            "tflite-runtime 2.14, which is installed, runs int8 convolutions on built-in kernels, "
            "not on XNNPACK; the delegate decides the same there: it cannot tell runtimes apart."
        )
    return "\n".join(lines)
