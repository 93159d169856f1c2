"""``tflite-eq explain``: what the delegate would claim of a model, and why not the rest."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
from typing import Any

from tflite_eq.cli.flags import add_policy_flags, policy_options_from
from tflite_eq.cli.models import read_tflite
from tflite_eq.delegate.claims import Claim
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.report.table import align, short_names
from tflite_eq.targets import Target

_HOST = "host"


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "explain",
        help=summary,
        description="List every convolution of a model with the kernel the delegate would choose "
        "for it on a CPU, or why it would leave it to the runtime. Nothing is run.",
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
    # Only this command needs the compiled module.
    from tflite_eq.delegate.binding import kernels
    from tflite_eq.delegate.explain import cpu_of, describe, explain, with_vnni_units

    graph = Graph.from_bytes(read_tflite(args.model), args.model)
    if args.target == _HOST:
        cpu = kernels.Cpu.detect()
        if args.vnni_units is not None:
            cpu = with_vnni_units(cpu, args.vnni_units)
    else:
        cpu = cpu_of(Target(args.target), args.vnni_units or 2)
    if args.num_threads < 1:
        raise ConfigError(f"--num_threads {args.num_threads}: at least one thread is needed")
    claims = explain(graph, cpu, args.num_threads, policy_options_from(args))
    if args.json:
        plain = {
            "isa": cpu.isa,
            "two_vnni_units": cpu.two_vnni_units,
            "peer": cpu.peer,
        }
        print(json.dumps({**plain, "layers": [dataclasses.asdict(c) for c in claims]}, indent=2))
        return 0
    rows = [("layer", "delegate", "because")]
    names = short_names([c.name for c in claims])
    rows += [(n, "yes" if c.claimed else "no", c.reason) for n, c in zip(names, claims)]
    print(align(rows))
    print(_footer(graph, claims, describe(cpu)))
    return 0


def _footer(graph: Graph, claims: list[Claim], cpu: str) -> str:
    others = collections.Counter(o.kind for o in graph.operators if o.kind != "CONV_2D")
    shown = ", ".join(f"{count} {kind}" for kind, count in others.most_common())
    return (
        f"{sum(c.claimed for c in claims)} of {len(claims)} convolutions would be delegated on "
        f"{cpu}; other operators, never delegated: {shown or 'none'}."
    )
