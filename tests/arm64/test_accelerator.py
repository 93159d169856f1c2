"""LiteRT's CompiledModel with the accelerator, on emulated CPUs and every LiteRT that takes any."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.accelerator import networks, run_compiled
from tests.accelerator.conftest import Compiled
from tests.accelerator.test_accelerator import ALL, assert_equal, reference
from tests.arm64.conftest import LIBRARY_VARIABLE
from tflite_eq.delegate.accelerator import NAME
from tools.arm64.emulation import CORTEX_A53, CORTEX_A76, LITERT, Cpu, Emulation


def launch(
    emulation: Emulation,
    cpu: Cpu,
    packages: Path,
    job: dict[str, Any],
    variables: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    script = Path(run_compiled.__file__)
    return emulation.run(cpu, script, job, packages=packages, environment=variables)


@pytest.fixture(params=LITERT)
def packages(request: pytest.FixtureRequest, emulation: Emulation) -> Path:
    """Where a LiteRT is; the nightly build was asked for or not."""
    folder = emulation.folder / LITERT[request.param]
    if not folder.is_dir():
        asked_for = " litert-nightly" if request.param == "nightly" else ""
        pytest.skip(f"{folder} is missing: tools/arm64/setup.sh {emulation.folder}{asked_for}")
    return folder


@pytest.fixture(params=[CORTEX_A53, CORTEX_A76], ids=str)
def compiled(
    request: pytest.FixtureRequest, packages: Path, emulation: Emulation, tmp_path: Path
) -> Compiled:
    """Runs models."""
    return Compiled(tmp_path, functools.partial(launch, emulation, request.param, packages))


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> str:
    """A folder for an environment."""
    accelerator = library.parent / "litert" / NAME
    if not accelerator.is_file():
        missing = f"{accelerator} is missing: bazel build --config=arm64 //delegate/litert:{NAME}"
        if os.environ.get(LIBRARY_VARIABLE):
            pytest.fail(missing)
        pytest.skip(missing)
    shutil.copy(accelerator, tmp_path)
    return str(tmp_path)


def test_several_networks_give_the_reference_kernels_outputs(
    folder: str, compiled: Compiled
) -> None:
    whole, samples = [networks.convolutions(bits) for bits in "87"], networks.codes(1)
    partly = networks.classifier()
    done = compiled.run(*whole, partly, folder=folder, samples=samples, options=ALL)
    assert done.errors == [None] * 3
    *claimed, (some, nodes) = done.claimed
    assert claimed == [(7, 7)] * 2
    assert 0 < some < nodes
    for model, outputs in zip(whole, done.outputs):
        assert_equal(outputs, reference(model, samples))
    # The rest is XNNPACK's, which rounds otherwise, by a code or two.
    [found], [expected] = done.outputs[2], reference(partly, samples)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2


def test_threads_and_objects_that_go_in_any_order(folder: str, compiled: Compiled) -> None:
    model, samples = networks.convolutions(), networks.codes(1)
    orders = list(itertools.permutations(["environment", "models", "buffers"]))
    options = f"{ALL};num_threads:2"
    done = compiled.run(
        model, folder=folder, samples=samples, options=options, parallel=2, drops=orders
    )
    assert done.errors == [None]
    assert done.claimed == [(7, 7)] * 2 * len(orders)
    assert_equal(done.outputs[0], reference(model, samples))
