"""Everything here needs the accelerator's library, and a LiteRT that takes accelerators."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.accelerator import run_compiled
from tests.built_models import Array
from tflite_eq.delegate import accelerator_dir
from tflite_eq.errors import BackendError

CLAIMED = r"^tflite_eq: claimed (\d+) of (\d+) nodes"
VARIABLE = "TFLITE_EQ_ACCELERATOR_OPTIONS"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a process of ``run_compiled`` gave.

    Attributes:
        outputs: Per model, the output for every sample; none for a model that failed.
        errors: Per model, what was raised.
        log: Everything that was written to stderr.
    """

    outputs: list[list[Array]]
    errors: list[str | None]
    log: str

    @property
    def claimed(self) -> list[tuple[int, int]]:
        """Per compiled model, how many of how many nodes are the delegate's."""
        found = re.findall(CLAIMED, self.log, re.MULTILINE)
        return [(int(claimed), int(nodes)) for claimed, nodes in found]


Launcher = Callable[[dict[str, Any], Mapping[str, str]], "subprocess.CompletedProcess[str]"]


def launch(job: dict[str, Any], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Do a job of ``run_compiled`` in a process of this Python."""
    own = {name: text for name, text in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, run_compiled.__file__],
        input=json.dumps(job),
        env={**own, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


class Compiled:
    """Runs models by CompiledModel, each time in a process of its own."""

    def __init__(self, work: Path, launcher: Launcher = launch) -> None:
        self._work = work
        self._launch = launcher

    def run(
        self,
        *models: bytes,
        folder: str | None,
        samples: Sequence[Array],
        options: str = "",
        hardware: str = "CPU",
        **job: Any,
    ) -> Outcome:
        """Run models one after the other, all alive at the same time."""
        described = []
        np.savez(self._work / "inputs.npz", *samples)
        for number, model in enumerate(models):
            path = self._work / f"{number}.tflite"
            path.write_bytes(model)
            outputs = self._work / f"{number}.npz"
            outputs.unlink(missing_ok=True)
            files = {"model": path, "inputs": self._work / "inputs.npz", "outputs": outputs}
            described.append({name: str(file) for name, file in files.items()})
        job = {"models": described, "folder": folder, "hardware": hardware, **job}
        done = self._launch(job, {VARIABLE: options} if options else {})
        errors = json.loads(done.stdout.splitlines()[-1])["errors"]
        made = []
        for each in described:
            if not Path(each["outputs"]).is_file():
                made.append([])
                continue
            with np.load(each["outputs"]) as stored:
                made.append([stored[name] for name in stored.files])
        return Outcome(made, errors, done.stderr)


@pytest.fixture(scope="session")
def folder() -> str:
    """The folder for an environment."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("CompiledModel is LiteRT's: pip install 'ai-edge-litert>=2.2'")
    try:
        return accelerator_dir()
    except BackendError as error:
        pytest.skip(str(error))


@pytest.fixture
def compiled(tmp_path: Path) -> Compiled:
    """Runs models."""
    return Compiled(tmp_path)
