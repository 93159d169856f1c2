"""A guarded quantization that kills itself: run as a process of its own by the tests of resuming.

usage: python -m tests.guard.killed WHERE quantize ...

WHERE says when the process sends itself SIGKILL:

    layer=N     when the N-th layer over all models tried is finished and saved
    half=START  in the middle of writing a file whose name begins so
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from tests.interrupted import HalfWriter, die_in_checkpoint
from tflite_eq import files
from tflite_eq.cli.main import main, parse
from tflite_eq.report import write


def die_while_writing(start: str) -> None:
    original = files.write_all_atomically

    def deadly(contents: Mapping[Any, bytes]) -> None:
        if any(pathlib.Path(path).name.startswith(start) for path in contents):
            os.fdopen = lambda descriptor, mode: HalfWriter(descriptor, mode)  # type: ignore
        original(contents)

    files.write_all_atomically = write.write_all_atomically = deadly


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # no workers to start
    what, _, value = sys.argv[1].partition("=")
    if what == "layer":
        die_in_checkpoint("finish_layer", int(value))
    else:
        die_while_writing(value)
    sys.exit(main(parse(["tflite-eq", *sys.argv[2:]])))
