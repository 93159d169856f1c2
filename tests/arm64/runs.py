"""Running cases under emulation, all of a CPU and a runtime in one process."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests import running
from tests.arm64.cases import Array, Case, QuantizedModel, Selection, cases, quantized
from tflite_eq.delegate.claims import Claim, parse_claims
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import runtime_named
from tools.arm64.emulation import CPUS, RUNTIMES, Cpu, Emulation

_SCRIPT = Path(__file__).parents[2] / "tools/arm64/guest/run_models.py"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a model gave under emulation.

    Attributes:
        outputs: A stack of each output over all samples.
        claims: The delegate's decision on every operator that it knows.
        partitions: How many nodes of the runtime's plan the delegate runs.
    """

    outputs: list[Array]
    claims: list[Claim]
    partitions: int


class EmulatedRuns:
    """All cases of all CPUs on all runtimes, as many processes at a time as there are cores.

    Each process is started when something of it is asked for; those of all CPUs at once where a
    test asks for them in turn would leave cores idle.
    """

    def __init__(self, emulation: Emulation, library: Path, selection: Selection) -> None:
        self._selection = selection
        self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        self._futures = {
            (cpu, runtime): self._pool.submit(
                run_emulated, emulation, cpu, runtime, library, self._models(cpu)
            )
            for cpu in CPUS
            for runtime in RUNTIMES
        }

    def outcome(self, case: Case, runtime: str) -> Outcome:
        """What a case gave; waits for it.

        Raises:
            EmulationError: The process of all cases of the CPU and the runtime failed.
        """
        return self._futures[case.cpu, runtime].result()[case]

    def model(self, case: Case) -> QuantizedModel:
        """The model of a case."""
        return quantized(case, self._selection)

    def close(self) -> None:
        """Drop what has not started yet and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)

    def _models(self, cpu: Cpu) -> dict[Case, QuantizedModel]:
        return {case: self.model(case) for case in cases(cpu, self._selection)}


def run_emulated(
    emulation: Emulation,
    cpu: Cpu,
    runtime: str,
    library: Path,
    models: Mapping[Case, QuantizedModel],
) -> dict[Case, Outcome]:
    """Run models in one emulated process, on reference kernels where the delegate runs nothing.

    Args:
        emulation: The emulated Python.
        cpu: The CPU.
        runtime: One of ``RUNTIMES``.
        library: The delegate's arm64 library.
        models: Models and what to do with them.

    Raises:
        EmulationError: One of them failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        described = [
            _described(case, model, Path(folder, str(number)))
            for number, (case, model) in enumerate(models.items())
        ]
        job = {"module": RUNTIMES[runtime], "library": str(library), "cases": described}
        answer = emulation.python(cpu, _SCRIPT, job)
        outcomes = {}
        for number, (case, model) in enumerate(models.items()):
            with np.load(described[number]["outputs"]) as stored:
                outputs = [stored[name] for name in stored.files]
            claims = parse_claims(answer["logs"][number], Graph.from_bytes(model.model))
            outcomes[case] = Outcome(outputs, claims, answer["partitions"][number])
    return outcomes


@functools.cache
def expected_outputs(model: QuantizedModel, runtime: str) -> list[Array]:
    """What the reference kernels of the same runtime give here, in the form of ``Outcome``.

    Of the same: runtimes differ by a code in dense layers with one weight scale.
    """
    own = runtime_named(runtime)
    samples = [running.run(model.model, sample, runtime=own) for sample in model.samples]
    return [np.stack(stack) for stack in zip(*samples)]


def _described(case: Case, model: QuantizedModel, folder: Path) -> dict[str, object]:
    folder.mkdir()
    tflite, inputs = folder / "model.tflite", folder / "inputs.npz"
    tflite.write_bytes(model.model)
    np.savez(inputs, *(np.stack(values) for values in zip(*model.samples)))
    options = None if case.options is None else {"log_level": "2", **dict(case.options)}
    return {
        "name": str(case),
        "model": str(tflite),
        "inputs": str(inputs),
        "outputs": str(folder / "outputs.npz"),
        "options": options,
    }
