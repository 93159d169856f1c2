"""Command line of benchmarks that write a page: they measure, or render what was measured."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Callable, Iterable

from benchmarks import results_file
from benchmarks.tables import Results
from tests import shared_data
from tflite_eq.errors import TfliteEqError


def measure_or_render(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace, pathlib.Path], None],
    render: Callable[[Results], str],
) -> None:
    """Add ``--output`` and ``--render`` to a command line, and do what it says.

    Args:
        parser: Has the benchmark's own options.
        run: Measures what the file ``--output`` does not hold yet, given the options and the
            folder of the shared data.
        render: The page.
    """
    parser.add_argument("--output", help="JSON file that collects the results")
    parser.add_argument("--render", metavar="JSON", help="print the results as Markdown")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        if args.render:
            print(render(results_file.load(pathlib.Path(args.render), must_exist=True)))
            return
        folder = shared_data.folder()
        if folder is None or not args.output:
            parser.error("the shared data are not there" if args.output else "--output is required")
        run(args, folder)
    except TfliteEqError as error:
        sys.exit(f"error: {error}")


def add_choices(parser: argparse.ArgumentParser, variants: Iterable[str]) -> None:
    """Add what is measured of each model: ``--variant``, several times, and ``--draws``."""
    parser.add_argument("--variant", action="append", choices=variants, help="only this variant")
    parser.add_argument("--draws", type=int, default=3, help="draws of calibration images (3)")
