"""Instructions that one inference of a model executes, counted under emulation."""

from __future__ import annotations

import bisect
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from tflite_eq.delegate.claims import Claim, parse_claims
from tflite_eq.graph.model import Graph
from tools.arm64.emulation import RUNTIMES, Cpu, Emulation, EmulationError

_SCRIPT = Path(__file__).parent / "guest" / "invoke_counted.py"

Options = Optional[Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Inference:
    """One inference to count.

    Attributes:
        model: A ``.tflite`` with one input.
        values: The input.
        options: The delegate's options; ``None``: the runtime without the delegate.
        warm_up: Count the second inference. The first one takes some 80 000 instructions more; for
            models so large that this is nothing, the emulation's time can be saved.
    """

    model: bytes
    values: npt.NDArray[Any]
    options: Options = None
    warm_up: bool = True


@dataclasses.dataclass(frozen=True)
class Count:
    """Executed instructions of one inference.

    Attributes:
        total: All of them, the Python call included: a few thousand.
        vector: SIMD and floating point, loads and stores left out.
        memory: Loads and stores, vector ones included.
        branch: Branches.
        by_file: By the file that the code is from, most first.
        claims: The delegate's decision on every operator that it knows.
    """

    total: int
    vector: int
    memory: int
    branch: int
    by_file: dict[str, int]
    claims: list[Claim]


def count(
    emulation: Emulation, cpu: Cpu, runtime: str, library: Path, inferences: Sequence[Inference]
) -> list[Count]:
    """Count inferences.

    Counts vary by some dozens of instructions from run to run: with where memory is allocated.

    Args:
        emulation: The emulated Python.
        cpu: The CPU.
        runtime: One of ``RUNTIMES``; computes with one thread, with XNNPACK as it comes.
        library: The delegate's arm64 library.
        inferences: What to count, in one process.

    Raises:
        EmulationError: One of them failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        described = []
        for number, inference in enumerate(inferences):
            model, values = Path(folder, f"{number}.tflite"), Path(folder, f"{number}.npy")
            model.write_bytes(inference.model)
            np.save(values, inference.values)
            options = None if inference.options is None else {"log_level": "2", **inference.options}
            described.append(
                {
                    "model": str(model),
                    "input": str(values),
                    "options": options,
                    "warm_up": inference.warm_up,
                }
            )
        job = {"module": RUNTIMES[runtime], "library": str(library), "cases": described}
        counts = Path(folder, "counts")
        answer = emulation.python(cpu, _SCRIPT, job, counts=counts)
        lines = counts.read_text().splitlines()
    if len(lines) != len(inferences):
        raise EmulationError(f"{len(inferences)} inferences were run and {len(lines)} counted")
    files = _Files(answer["maps"])
    return [
        _summarize(json.loads(line), files, parse_claims(log, Graph.from_bytes(inference.model)))
        for line, log, inference in zip(lines, answer["logs"], inferences)
    ]


def _summarize(line: dict[str, Any], files: _Files, claims: list[Claim]) -> Count:
    by_file: Counter[str] = Counter()
    for address, instructions, executions in line["blocks"]:
        by_file[files.at(address)] += instructions * executions
    return Count(
        line["total"],
        line["vector"],
        line["memory"],
        line["branch"],
        dict(by_file.most_common()),
        claims,
    )


class _Files:
    """Which file is mapped where, from a process's ``/proc/self/maps``."""

    def __init__(self, maps: str) -> None:
        mapped = []
        for line in maps.splitlines():
            columns = line.split(maxsplit=5)
            start, end = (int(address, 16) for address in columns[0].split("-"))
            name = Path(columns[5]).name if len(columns) > 5 else "anonymous memory"
            mapped.append((start, end, name))
        self._mapped = sorted(mapped)
        self._starts = [start for start, _, _ in self._mapped]

    def at(self, address: int) -> str:
        """Name of the file that an address belongs to."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._mapped[index][1]:
            return self._mapped[index][2]
        return "unmapped memory"
