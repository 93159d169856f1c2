"""Golden files that this machine writes hold on emulated ones: every operator of the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import running
from tests.arm64.cases import Case, QuantizedModel
from tests.arm64.runs import run_emulated
from tests.delegate import every_operator
from tflite_eq.delegate import golden
from tflite_eq.delegate.golden import GoldenRun, GoldenSample
from tflite_eq.delegate.inputs import random_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import runtime_named
from tools.arm64.emulation import CPUS, Cpu, Emulation

_RUNTIME = "ai-edge-litert"


def _written_and_read(model: bytes, path: Path) -> GoldenRun:
    """The run of a model on reference kernels, from a file that it was written to."""
    graph, runtime = Graph.from_bytes(model), runtime_named(_RUNTIME)
    samples = [
        GoldenSample(inputs, running.run(model, inputs, runtime=runtime))
        for inputs in random_inputs(graph, 2, seed=0)
    ]
    inputs, outputs = ([graph.tensors[t].name for t in e] for e in (graph.inputs, graph.outputs))
    path.write_bytes(golden.content_of(golden.golden_run(model, inputs, outputs, samples)))
    return golden.read(path)


@pytest.mark.parametrize("cpu", CPUS, ids=str)
def test_every_operator_computes_what_another_machine_wrote(
    cpu: Cpu, emulation: Emulation, library: Path, tmp_path: Path
) -> None:
    runs, models = {}, {}
    for number, operator in enumerate(every_operator.cases()):
        case = Case(
            cpu, f"{operator.kind} {number}", "golden", (("claim", "."), ("min_saving", "0"))
        )
        model = operator.model()
        runs[case] = _written_and_read(model, tmp_path / f"{number}.golden")
        models[case] = QuantizedModel(model, [list(s.inputs) for s in runs[case].samples])
    outcomes = run_emulated(emulation, cpu, _RUNTIME, library, models)
    for case, run in runs.items():
        outcome = outcomes[case]
        assert outcome.partitions == 1
        assert all(claim.claimed for claim in outcome.claims), (case.network, outcome.claims)
        for number, sample in enumerate(run.samples):
            for found, wanted in zip(outcome.outputs, sample.outputs):
                np.testing.assert_array_equal(found[number], wanted, case.network)
