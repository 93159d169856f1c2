"""What a new user does: an empty environment, the wheel, three commands."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models

VARIABLE = "TFLITE_EQ_WHEELS"


def wheel(platform: str) -> Path:
    """The wheel for a platform among those that ``make wheels`` made."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        pytest.skip(f"{VARIABLE} names no folder of wheels; make test-packaging does")
    (found,) = Path(folder).resolve().glob(f"tflite_eq-*-py3-none-*{platform}.whl")
    return found


@dataclasses.dataclass(frozen=True)
class User:
    """An environment with the wheel, and a folder that commands run in.

    Attributes:
        python: The environment's interpreter.
        folder: Away from the checkout; holds a float model and samples.
        environment: Variables of the commands.
    """

    python: Path
    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str | Path) -> str:
        """What a program of the environment prints."""
        program, *rest = map(str, command)
        done = subprocess.run(
            [str(self.python.with_name(program)), *rest],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_shell(self, script: str) -> str:
        """What a script prints; the environment is activated, and a failing line ends it."""
        path = f"{self.python.parent}:{self.environment['PATH']}"
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env={**self.environment, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def new_user(
    folder: Path,
    interpreter: Sequence[str | Path],
    platform: str,
    options: Sequence[str | Path] = (),
    **environment: str,
) -> User:
    """Make an environment with the wheel in it; its dependencies come from pip's index.

    Args:
        folder: Where; holds the commands' files, too.
        interpreter: The Python to make it with.
        platform: Which wheel.
        options: Of ``pip install``.
        **environment: Variables of the commands.
    """
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    clean |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    subprocess.run(
        [*map(str, interpreter), "-m", "venv", "user"], cwd=folder, env=clean, check=True
    )
    user = User(folder / "user/bin/python", folder, clean)
    return prepared(user, platform, options)


def prepared(user: User, platform: str, options: Sequence[str | Path] = ()) -> User:
    """Install the wheel, and put a model and data into the folder."""
    pip = ("-m", "pip", "--disable-pip-version-check", "--retries", "8")
    user.run("python", *pip, "install", "--quiet", "--no-compile", *options, wheel(platform))
    (user.folder / "net.tflite").write_bytes(models.keras_net())
    samples = np.concatenate([x for [x] in models.data("keras_net", 24)])
    np.save(user.folder / "samples.npy", samples)
    return user


def quantize_validate_benchmark(user: User, num_runs: int = 10) -> dict[str, Any]:
    """The three commands of README.md; what the last one measured."""
    quantize = ("--model", "net.tflite", "--calibration", "samples.npy", "--preset", "fast")
    found = json.loads(
        user.run("tflite-eq", "quantize", *quantize, "--output", "net_int8.tflite", "--json")
    )
    assert (user.folder / "net_int8.tflite").stat().st_size == found["bytes"]
    # Whether or not it pays on this machine: it is to run.
    claim = ("--model", "net_int8.tflite", "--claim", ".")
    assert "Bit for bit the same" in user.run("tflite-eq", "validate", *claim, "--samples", "2")
    timed = user.run("tflite-eq", "benchmark", *claim, "--num_runs", str(num_runs), "--json")
    (runtime,) = json.loads(timed)["runtimes"]
    assert runtime["claimed"] > 0
    assert runtime["delegated"]["times"]["min"] > 0
    return dict(runtime)
