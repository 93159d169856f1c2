"""LiteRT's CompiledModel with the accelerator, on emulated CPUs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import running
from tests.accelerator import networks, run_compiled
from tests.arm64.conftest import LIBRARY_VARIABLE
from tflite_eq.delegate.accelerator import NAME, OPTIONS_FILE
from tflite_eq.runtimes import runtime_named
from tools.arm64.emulation import CORTEX_A53, CORTEX_A76, Cpu, Emulation


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> Path:
    """A folder for an environment, in which a model of which nothing is claimed fails."""
    accelerator = library.parent / "litert" / NAME
    if not accelerator.is_file():
        missing = f"{accelerator} is missing: bazel build --config=arm64 //delegate/litert:{NAME}"
        if os.environ.get(LIBRARY_VARIABLE):
            pytest.fail(missing)
        pytest.skip(missing)
    shutil.copy(accelerator, tmp_path)
    # LiteRT's own accelerator for GPUs, which is beside it, would end the process on a Cortex-A53.
    options = "claim: .\nrequire_delegation: 1\nlog_level: 0\n"
    (tmp_path / OPTIONS_FILE).write_text(options)
    return tmp_path


@pytest.mark.parametrize("bits", ["8", "7"])
@pytest.mark.parametrize("cpu", [CORTEX_A53, CORTEX_A76], ids=str)
def test_outputs_are_the_reference_kernels(
    cpu: Cpu, bits: str, folder: Path, emulation: Emulation, tmp_path: Path
) -> None:
    model, samples = networks.convolutions(bits), networks.codes(1)
    files = {name: str(tmp_path / f"{name}.npz") for name in ("inputs", "outputs")}
    (tmp_path / "model.tflite").write_bytes(model)
    np.savez(files["inputs"], *samples)
    described = {"model": str(tmp_path / "model.tflite"), **files}
    job = {"models": [described], "folder": str(folder), "hardware": "CPU"}
    answer = emulation.python(cpu, Path(run_compiled.__file__), job)
    assert answer["errors"] == [None]
    with np.load(files["outputs"]) as stored:
        made = [stored[name] for name in stored.files]
    expected = [running.run(model, [x], runtime=runtime_named("ai-edge-litert")) for x in samples]
    np.testing.assert_array_equal(made, [outputs[0] for outputs in expected])
