"""tflite_eq beside other quantizers: measures them on the shared models, or renders the page.

    python -m benchmarks.peers --output peers.json [--model tiny_darknet] [--peer sony-mct]
    python -m benchmarks.peers --render peers.json > docs/peers.md

Every peer quantizes in a process of its own, in its own environment: `make peers` makes those that
the project's own environment is not. All get the same float model and the first images of the same
list, and the files they write are evaluated like tflite_eq's: see docs/peers.md. Results are added
to the output file model by model; a run that is started again measures only what is missing, or
with --remeasure everything that --model and --peer name. Needs the shared data: see
tests/shared_data.py for where it is looked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks import results_file
from benchmarks.peers import measure, page, process
from benchmarks.peers.registry import ENVIRONMENTS, PEERS, Peer
from tests import shared_data
from tflite_eq.errors import TfliteEqError
from tflite_eq.files import check_writable


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or render what was measured.

    Returns:
        The exit code: 1 if something was skipped or cannot be done.
    """
    parser = _parser()
    args = parser.parse_args(arguments)
    if bool(args.output) == bool(args.render):
        parser.error("either --output or --render is required")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        if args.render:
            print(page.render(results_file.load(Path(args.render), must_exist=True)))
            return 0
        return _measure(args)
    except TfliteEqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _measure(args: argparse.Namespace) -> int:
    data = shared_data.folder()
    if data is None:
        raise TfliteEqError(
            "the shared models and images are not there; set TFLITE_EQ_DATA to their folder"
        )
    check_writable(args.output)
    models = _known("--model", args.model or list(shared_data.models()), shared_data.models())
    peers = [PEERS[name] for name in args.peer or PEERS]
    pythons = {**{e.name: e.python for e in ENVIRONMENTS.values()}, **dict(args.python)}
    usable = _usable(peers, pythons)
    selection = measure.Selection(models, usable, args.remeasure)
    measure.run(selection, pythons, data, Path(args.output))
    return int(len(usable) < len(peers))


def _usable(peers: Sequence[Peer], pythons: dict[str, Path]) -> list[Peer]:
    """The peers whose environment is there; says why it leaves others out."""
    environments = {peer.environment.name for peer in peers}
    obstacles = {
        name: process.obstacle(ENVIRONMENTS[name], pythons[name]) for name in sorted(environments)
    }
    for name, why in obstacles.items():
        if why is not None:
            skipped = ", ".join(p.name for p in peers if p.environment.name == name)
            print(f"skipped: {skipped}: {why}", file=sys.stderr)
    return [peer for peer in peers if obstacles[peer.environment.name] is None]


def _known(option: str, names: Sequence[str], allowed: Collection[str]) -> Sequence[str]:
    for name in names:
        if name not in allowed:
            raise TfliteEqError(f"{option} {name}: unknown; known are {', '.join(allowed)}")
    return names


def _python(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator or name not in ENVIRONMENTS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form ENVIRONMENT=PYTHON with one of {', '.join(ENVIRONMENTS)}"
        )
    return name, Path(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--output", help="JSON file that collects the results")
    parser.add_argument("--render", metavar="JSON", help="print the results as Markdown")
    parser.add_argument("--model", action="append", help="only this shared model")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only this peer")
    parser.add_argument(
        "--remeasure", action="store_true", help="measure again what the output file holds"
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        type=_python,
        metavar="ENVIRONMENT=PYTHON",
        help=f"interpreter of an environment: {', '.join(ENVIRONMENTS)}",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
