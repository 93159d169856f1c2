"""Entry point of the ``tflite-eq`` command."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from absl import app
from absl.flags import argparse_flags

from tflite_eq.cli.installed import PrintVersion
from tflite_eq.errors import TfliteEqError

# Sub-commands, each in a module of that name, and what the list of them says. Only the one that is
# asked for is imported: a mistake in a command line is told at once.
_COMMANDS = {
    "demo": "quantize a small network that comes along, and compare it with TFLite's default",
    "check": "what quantizing a float model will do: needs no data",
    "quantize": "quantize a float model to int8",
    "evaluate": "measure accuracy of classifiers, or how close any models are to a float one",
    "inspect": "list a model's layers: bits, scales, zero points, code windows, weight lattice",
    "validate": "check that the delegate computes a model exactly as the reference kernels do",
    "explain": "list what the delegate would run of a model on a CPU, and why not the rest",
    "benchmark": "time a quantized model with and without the delegate",
}


class _Parser(argparse_flags.ArgumentParser):  # type: ignore[misc]
    """Reports a wrong command line as every other error, in one line."""

    # What is asked for help: of options that no sub-command knows the first parser complains.
    asked = ""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}; see {self.asked or self.prog} --help", file=sys.stderr)
        sys.exit(2)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line, program name first."""
    parser = _Parser(
        prog="tflite-eq",
        description="EasyQuant scales, bias correction and INT7 for TensorFlow Lite models.",
    )
    parser.add_argument(
        "--version", action=PrintVersion, help="print versions of this package and of what it uses"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv[1:] if not word.startswith("-")), None)
    for name, summary in _COMMANDS.items():
        if name == chosen:
            importlib.import_module(f"tflite_eq.cli.{name}").register(subparsers, summary)
            parser.asked = f"{parser.prog} {name}"
        else:
            subparsers.add_parser(name, help=summary)
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
        print(f"error: {_out_of_memory(args)}", file=sys.stderr)
        return 1
    except OSError as error:  # of a disk or a pipe, anywhere
        if error.errno == errno.ENOMEM:
            print(f"error: {_out_of_memory(args)}", file=sys.stderr)
            return 1
        print(f"error: {' '.join(str(error).split())}; see to that and try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"error: {_interrupted(args)}", file=sys.stderr)
        return _INTERRUPTED
    return int(code or 0)


# Exit codes of programs that these signals end.
_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM


def _interrupted(args: argparse.Namespace) -> str:
    if getattr(args, "resume_dir", None):
        return "interrupted, the model was not written; repeat the command to go on where it was"
    return "interrupted, the model was not written" if hasattr(args, "output") else "interrupted"


# What less memory is taken with, by the name of the option.
_LESS = {
    "num_samples": "fewer samples (--num_samples 20)",
    "samples": "fewer samples (--samples 1)",
    "num_workers": "fewer processes (--num_workers 1)",
    "limit": "fewer images (--limit 1000)",
}


def _out_of_memory(args: argparse.Namespace) -> str:
    """What to do about it, with options that the sub-command has."""
    options = [text for name, text in _LESS.items() if hasattr(args, name)]
    options.append("a smaller input")
    return (
        f"out of memory; nothing was written. Less is needed by {', '.join(options)} "
        "or a smaller model"
    )


def _end_tidily() -> None:
    """Have the signal that ends programs leave no more temporary files than an interruption."""
    process = os.getpid()

    def end(number: int, _: object) -> None:
        if os.getpid() == process:
            sys.exit(_TERMINATED)
        # A process that was forked off has nothing to tidy up.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def run() -> None:
    """Console-script entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal has no characters for must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    _end_tidily()
    try:
        try:
            app.run(main, flags_parser=parse)
        finally:
            if sys.stdout is not None:  # closed by whoever started this
                sys.stdout.flush()  # here, so that what it meets is told in one line
    except KeyboardInterrupt:  # while modules were imported
        print("error: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except OSError as error:  # of a full disk, or nobody who reads
        # Else Python would print what is left once more, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"error: cannot print: {error.strerror}; free some space", file=sys.stderr)
        sys.exit(1)
