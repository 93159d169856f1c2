"""A calibration that kills itself: run as a process of its own by the tests of resuming.

usage: python -m tests.interrupted MODEL DATA RESUME_DIR CONFIG_JSON WHERE

WHERE says when the process sends itself SIGKILL, which no handler sees:

    sample=N    when N samples are ready for both networks, channels being scaled
    layer=N     when layer N is finished and saved
    half=NAME   in the middle of writing the file NAME, its temporary half-written
    rename=NAME when all of NAME is written, but not yet under its name
    never       not at all
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import signal
import sys
from typing import Any, NoReturn

import numpy as np

from tflite_eq import Config, calibrate, files
from tflite_eq.checkpoint import checkpoint
from tflite_eq.search.trace import PassTrace
from tflite_eq.simulation.twins import TwinActivations


def die(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived")


def die_in_checkpoint(method: str, calls: int) -> None:
    """Die at the end of the given call of a method."""
    original = getattr(checkpoint.Checkpoint, method)
    count = 0

    def counted(self: Any, *arguments: Any) -> None:
        nonlocal count
        original(self, *arguments)
        count += 1
        if count == calls:
            die()

    setattr(checkpoint.Checkpoint, method, counted)


def die_in_front_of_lockstep(samples: int) -> None:
    """Die when so many samples are ready."""
    put = TwinActivations.put_quantized

    def deadly(twins: TwinActivations, tensor: int, sample: int, values: Any) -> None:
        put(twins, tensor, sample, values)
        if sample + 1 == samples:
            die()

    TwinActivations.put_quantized = deadly  # type: ignore


class HalfWriter(io.FileIO):
    """Dies once half of what it is given is in the file."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[: len(data) // 2])
        os.fsync(self.fileno())
        die()


def die_while_writing(name: str, half: bool) -> None:
    write = files.write_atomically

    def deadly(path: Any, data: bytes) -> None:
        if pathlib.Path(path).name == name:
            if half:
                os.fdopen = lambda descriptor, mode: HalfWriter(descriptor, mode)  # type: ignore
            else:
                os.replace = die
        write(path, data)

    checkpoint.write_atomically = deadly


def main() -> None:
    model, data, folder, config, where = sys.argv[1:]
    what, _, value = where.partition("=")
    if what == "sample":
        die_in_front_of_lockstep(int(value))
    elif what == "layer":
        die_in_checkpoint("finish_layer", int(value))
    elif what in ("half", "rename"):
        die_while_writing(value, half=what == "half")
    samples = [[x] for x in np.load(data)]
    options = Config.from_dict(json.loads(config))
    calibrate(
        pathlib.Path(model).read_bytes(), samples, options, resume_dir=folder, trace=PassTrace()
    )


if __name__ == "__main__":
    main()
