"""What a command found, for scripts: one JSON object."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Run = Callable[[argparse.Namespace], int]

# What --json is where it takes the name of a file, too, and has none.
TO_STDOUT = "-"


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """``--json``; the command's ``run`` needs ``json_alone`` around it."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON and nothing else; the rest goes to stderr"
    )


def json_alone(run: Run) -> Run:
    """With ``--json`` only what ``tell`` is given is printed, and everything else on stderr."""

    @functools.wraps(run)
    def wrapped(args: argparse.Namespace) -> int:
        if not _wanted(args):
            return run(args)
        args.stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            return run(args)

    return wrapped


def tell(args: argparse.Namespace, found: Mapping[str, Any]) -> None:
    """Print the object: alone with ``--json``, else in a last line behind ``RESULT``.

    That line is deprecated, see CHANGELOG.md.
    """
    if _wanted(args):
        print(json.dumps(found), file=args.stdout)
    else:
        print(f"RESULT {json.dumps(found)}")


def _wanted(args: argparse.Namespace) -> bool:
    return args.json is True or args.json == TO_STDOUT
