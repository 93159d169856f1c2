"""Instructions that one inference of a model executes, counted under emulation."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from tflite_eq.delegate.claims import Claim, parse_claims
from tflite_eq.graph.model import Graph
from tools.arm64.blocks import Block, Kind, Mappings, kind_of, parse_blocks
from tools.arm64.emulation import RUNTIMES, Caches, Cpu, Emulation, EmulationError

_SCRIPT = Path(__file__).parent / "guest" / "invoke_counted.py"

Options = Optional[Mapping[str, str]]

# Other runtimes, if their wheels were asked for.
RIVALS = ("ncnn", "onnxruntime", "MNN")


@dataclasses.dataclass(frozen=True)
class Inference:
    """One inference to count.

    Attributes:
        model: A model with one input, in the runtime's format.
        values: The input.
        options: The delegate's options; ``None``: the runtime without the delegate.
        warm_up: Count the second inference. The first one takes some 80 000 instructions more and
            finds empty caches; for models so large that this is nothing, the emulation's time can
            be saved.
        weights: The model's second file, for runtimes that keep weights in one.
    """

    model: bytes
    values: npt.NDArray[Any]
    options: Options = None
    warm_up: bool = True
    weights: bytes = b""


@dataclasses.dataclass(frozen=True)
class Count:
    """What one inference executed.

    Attributes:
        blocks: The blocks of instructions that ran, the Python call included: a few thousand.
        mappings: Which files they are from.
        claims: The delegate's decision on every operator that it knows.
        output: What a runtime other than TFLite gave.
    """

    blocks: list[Block]
    mappings: Mappings
    claims: list[Claim]
    output: list[float] | None = None

    @functools.cached_property
    def by_kind(self) -> Counter[Kind]:
        """Executed instructions by what they are."""
        kinds: Counter[Kind] = Counter()
        for block in self.blocks:
            for word in block.words:
                kinds[kind_of(word)] += block.executions
        return kinds

    @property
    def total(self) -> int:
        """Executed instructions."""
        return sum(block.instructions * block.executions for block in self.blocks)


def count(
    emulation: Emulation,
    cpu: Cpu,
    runtime: str,
    library: Path,
    inferences: Sequence[Inference],
    caches: Caches = (),
) -> list[Count]:
    """Count inferences.

    Counts vary by some dozens of instructions from run to run: with where memory is allocated.

    Args:
        emulation: The emulated Python.
        cpu: The CPU.
        runtime: One of ``RUNTIMES`` or ``RIVALS``; computes with one thread, as it comes.
        library: The delegate's arm64 library.
        inferences: What to count, in one process.
        caches: Bytes and ways of the data caches to simulate, the first level first.

    Raises:
        EmulationError: One of them failed.
    """
    if runtime in RIVALS and not (emulation.rivals / runtime).is_dir():
        raise EmulationError(
            f"no arm64 {runtime} in {emulation.rivals}: "
            f"run tools/arm64/setup.sh {emulation.folder} rivals"
        )
    with tempfile.TemporaryDirectory() as folder:
        described = [
            _described(inference, Path(folder, str(number)))
            for number, inference in enumerate(inferences)
        ]
        job = {
            "runtime": runtime,
            "module": RUNTIMES.get(runtime),
            "library": str(library),
            "cases": described,
        }
        counts = Path(folder, "counts")
        answer = emulation.python(cpu, _SCRIPT, job, counts=counts, caches=caches)
        lines = counts.read_text().splitlines()
    if len(lines) != len(inferences):
        raise EmulationError(f"{len(inferences)} inferences were run and {len(lines)} counted")
    mappings = Mappings(answer["maps"])
    return [
        Count(parse_blocks(line), mappings, _claims(log, inference), output)
        for line, log, output, inference in zip(
            lines, answer["logs"], answer["outputs"], inferences
        )
    ]


def _described(inference: Inference, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    model, weights, values = folder / "model", folder / "weights", folder / "input.npy"
    model.write_bytes(inference.model)
    weights.write_bytes(inference.weights)
    np.save(values, inference.values)
    options = inference.options
    return {
        "model": str(model),
        "weights": str(weights),
        "input": str(values),
        "options": None if options is None else {"log_level": "2", **options},
        "warm_up": inference.warm_up,
    }


def _claims(log: str, inference: Inference) -> list[Claim]:
    if inference.options is None:
        return []
    return parse_claims(log, Graph.from_bytes(inference.model))
