"""Results stay exact while signals interrupt every thread all the time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import running, signal_storm
from tests.delegate import networks
from tflite_eq.delegate.inputs import random_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Runtime, available_runtimes

# Configuration of the network to the kernel that computes it, on whatever CPU this is.
KERNELS = {"int8": "winograd_f43", "lattice": "winograd_1d"}


def storm_job(folder: Path, runtime_module: str, library: Path, kind: str) -> dict[str, Any]:
    """What ``signal_storm`` takes, for a network of ``networks`` in a configuration.

    Expected is what the same runtime computes undisturbed: runtimes differ by a code in dense
    layers with one weight scale.
    """
    (own,) = (r for r in available_runtimes() if r.module == runtime_module)
    model = networks.quantized(kind)
    inputs = [values for (values,) in random_inputs(Graph.from_bytes(model), 4, seed=0)]
    expected = [running.run(model, [values], runtime=own)[0] for values in inputs]
    (folder / "model.tflite").write_bytes(model)
    job = {"module": runtime_module, "library": str(library), "model": f"{folder}/model.tflite"}
    for name, stack in (("inputs", inputs), ("expected", expected)):
        job[name] = f"{folder}/{name}.npy"
        np.save(job[name], np.stack(stack))
    options = {"num_threads": "2", "kernel": KERNELS[kind], "require_delegation": "1"}
    return {**job, "options": {**options, "log_level": "0"}}


def check(counts: dict[str, int]) -> None:
    """No wrong result, and there was a storm indeed."""
    assert counts["wrong"] == 0
    assert counts["runs"] >= 2 * signal_storm.INTERPRETERS
    assert counts["sent"] >= 1000
    assert counts["handled"] >= 100


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda r: r.name)
@pytest.mark.parametrize("kind", KERNELS)
def test_results_stay_exact(kind: str, runtime: Runtime, library: Path, tmp_path: Path) -> None:
    job = storm_job(tmp_path, runtime.module, library, kind)
    done = subprocess.run(
        [sys.executable, "-m", signal_storm.__name__],
        cwd=Path(signal_storm.__file__).parents[1],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout.splitlines()[-1]))
