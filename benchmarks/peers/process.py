"""Quantizing in a process of its own, in the peer's environment, and what that took."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.registry import OURS, REPOSITORY, Environment
from tflite_eq.errors import TfliteEqError

_HERE = Path(__file__).resolve().parent
RUNNERS = _HERE / "runners"


class RunnerError(TfliteEqError):
    """A peer could not quantize a model; the text is the reason."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One quantized model.

    Attributes:
        model: Content of the file.
        versions: Version of what did the work, by name.
        usage: ``wall_seconds``, ``cpu_seconds`` and ``peak_memory_mib`` of the whole process.
    """

    model: bytes
    versions: dict[str, str]
    usage: dict[str, float]


def obstacle(environment: Environment, python: Path, runners: Path = RUNNERS) -> str | None:
    """Why nothing can be run in an environment, with the remedy; None if it can be used."""
    by_hand = f"name its Python with --python {environment.name}=..."
    remedy = f"make it with `{environment.target}`, or {by_hand}"
    if not python.exists():
        return f"there is no {python}; {remedy}"
    found = subprocess.run(
        [python, runners / "main.py", environment.runner],
        capture_output=True,
        text=True,
        env=_variables(environment),
        check=False,
    )
    try:
        missing = json.loads(found.stdout)
    except ValueError:
        lines = found.stderr.strip().splitlines() or [f"exit status {found.returncode}"]
        return f"{python} does not work: {lines[-1]}; {remedy}"
    return f"{python} has no {', '.join(missing)}; {remedy}" if missing else None


def quantize(
    environment: Environment,
    python: Path,
    model: Path,
    samples: Path,
    options: dict[str, Any],
    folder: Path,
    runners: Path = RUNNERS,
) -> Run:
    """Have a peer quantize a model.

    Args:
        environment: Whose runner to use.
        python: The environment's interpreter.
        model: The float model in the form that the runner takes.
        samples: ``.npy`` file of the calibration inputs, shape [samples, ...].
        options: For the runner.
        folder: For the files that are exchanged; holds none from before.
        runners: Where the runners are.

    Raises:
        RunnerError: The peer failed.
    """
    request, answer, usage, output, log = (
        folder / name for name in ("request.json", "answer.json", "usage.json", "output", "log")
    )
    request.write_text(
        json.dumps(
            {
                "model": str(model),
                "samples": str(samples),
                "options": options,
                "output": str(output),
                "answer": str(answer),
            }
        )
    )
    # -S and -E: nothing but the script itself, see there.
    launcher: list[str | Path] = [sys.executable, "-S", "-E", _HERE.parent / "launch.py", usage]
    with log.open("wb") as messages:
        subprocess.run(
            [*launcher, python, runners / "main.py", environment.runner, request],
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            env=_variables(environment),
            check=True,
        )
    used = json.loads(usage.read_text(encoding="utf-8"))
    status = used.pop("status")
    if not answer.exists():
        raise RunnerError(f"{_ending(status)}: {_last_line(log)}")
    answered = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in answered:
        raise RunnerError(answered["error"])
    return Run(output.read_bytes(), answered["versions"], used)


def write_samples(samples: list[npt.NDArray[np.float32]], path: Path) -> None:
    """Store samples of shape [1, ...] for runners."""
    np.save(path, np.concatenate(samples))


def _variables(environment: Environment) -> dict[str, str]:
    """Environment variables: only tflite_eq's runner sees modules of ours, those of this tree."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if environment.name == OURS.name:
        variables["PYTHONPATH"] = str(REPOSITORY)
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **variables}


def _ending(status: int) -> str:
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no message"
