"""Entry point of the ``tflite-eq`` command."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from absl import app
from absl.flags import argparse_flags

from tflite_eq.cli import benchmark, check, evaluate, explain, inspect, quantize, validate
from tflite_eq.errors import TfliteEqError
from tflite_eq.version import __version__

_COMMANDS = (check, quantize, evaluate, inspect, validate, explain, benchmark)


class _Parser(argparse_flags.ArgumentParser):  # type: ignore[misc]
    """Reports a wrong command line as every other error, in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line, program name first."""
    parser = _Parser(
        prog="tflite-eq",
        description="EasyQuant scales, bias correction and INT7 for TensorFlow Lite models.",
    )
    parser.add_argument("--version", action="version", version=f"tflite-eq {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.register(subparsers)
    parsed: argparse.Namespace = parser.parse_args(argv[1:])
    return parsed


def main(args: argparse.Namespace) -> int:
    """Run the chosen sub-command; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        code: Any = args.run(args)
    except TfliteEqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(
            "error: out of memory; fewer samples (--num_samples) or workers (--num_workers), or a "
            "smaller input, need less",
            file=sys.stderr,
        )
        return 1
    except OSError as error:  # of a disk or a pipe, anywhere
        print(f"error: {' '.join(str(error).split())}; see to that and try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted, the model was not written", file=sys.stderr)
        return 130
    return int(code or 0)


def run() -> None:
    """Console-script entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal has no characters for must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    app.run(main, flags_parser=parse)
