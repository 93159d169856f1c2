"""Guarded quantizations that were interrupted: what they leave, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.guard import networks
from tflite_eq import Config, Guard, Guarded, Validation, quantize, quantize_guarded
from tflite_eq.checkpoint import run_identity
from tflite_eq.cli.main import main, parse
from tflite_eq.errors import CheckpointError, TfliteEqError
from tflite_eq.guard import measures

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
VALIDATION = Validation.from_arrays(networks.arrays(300, seed=5))
CONFIG = Config(bits="7", method="minmax")
BOUND = 12.0


def guarded(folder: Path | None, **changes: Any) -> Guarded:
    arguments = {
        "model": networks.planted(),
        "representative_dataset": CALIBRATION,
        "guard": Guard(BOUND, VALIDATION),
        "config": CONFIG,
        "resume_dir": folder,
        **changes,
    }
    return quantize_guarded(**arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Guarded]:
    """A folder that a run has left; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("finished") / "state"
    return folder, guarded(folder)


@pytest.fixture
def state(finished: tuple[Path, Guarded], tmp_path: Path) -> Path:
    shutil.copytree(finished[0], tmp_path / "state")
    return tmp_path / "state"


def command(folder: Path, name: str) -> list[str]:
    """A guarded quantization with all of its outputs below a folder."""
    flags = {
        "model": folder / "model.tflite",
        "calibration": folder / "calibration.npy",
        "validation": folder / "validation.npy",
        **{"bits": 7, "method": "minmax", "max_drop": BOUND},
        "resume_dir": folder / f"state_{name}",
        "report_dir": folder / f"report_{name}",
        "output": folder / f"{name}.tflite",
    }
    return ["quantize", *(str(part) for n, value in flags.items() for part in (f"--{n}", value))]


def report(folder: Path, name: str) -> dict[str, Any]:
    """The report as data without what the process found out about itself."""
    plain = dict(json.loads((folder / f"report_{name}" / "report.json").read_text()))
    del plain["process"]
    return plain


def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(networks.planted())
    np.save(tmp_path / "calibration.npy", networks.arrays(30, seed=6))
    np.save(tmp_path / "validation.npy", networks.arrays(300, seed=5))
    # The first model in the middle; the second, behind the first's loss; then what is written.
    places = ["half=guard.json", "layer=2", "half=guard_drop", "layer=2", "half=report"]
    for place in [*places, "half=killed.tflite"]:
        arguments = [sys.executable, "-m", "tests.guard.killed", place]
        ended = subprocess.run(
            [*arguments, *command(tmp_path, "killed")], cwd=ROOT, capture_output=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert not (tmp_path / "killed.tflite").exists()
        is_reported = (tmp_path / "report_killed" / "report.html").exists()
        assert is_reported == (place == "half=killed.tflite")
    for name in ("killed", "whole"):
        assert main(parse(["tflite-eq", *command(tmp_path, name)])) == 0
    model = (tmp_path / "whole.tflite").read_bytes()
    assert (tmp_path / "killed.tflite").read_bytes() == model
    assert report(tmp_path, "killed") == report(tmp_path, "whole")


def test_models_measured_before_are_not_measured_again(
    finished: tuple[Path, Guarded], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "evaluate", lambda *_, **__: pytest.fail("evaluated again"))
    again = guarded(state)
    assert again.result.model == finished[1].result.model
    assert again.record == finished[1].record


def test_another_bound_goes_on_with_what_was_tried(
    finished: tuple[Path, Guarded], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "evaluate", lambda *_, **__: pytest.fail("evaluated again"))
    generous = guarded(state, guard=Guard(60.0, VALIDATION))
    assert generous.record.final == dataclasses.replace(finished[1].record.plain, holds=True)


def test_losses_on_other_samples_are_measured_anew(state: Path) -> None:
    others = Guard(BOUND, Validation.from_arrays(networks.arrays(300, seed=99)))
    assert guarded(state, guard=others).record == guarded(None, guard=others).record


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": dataclasses.replace(CONFIG, seed=1)}, "seed is 0 there and 1 here"),
        ({"config": Config(method="minmax")}, "bits is 7 there and 8 here"),
    ],
)
def test_other_options_are_refused(state: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(CheckpointError, match=f"belongs to another run: .*{expected}"):
        guarded(state, **changes)


def test_another_model_is_refused(state: Path) -> None:
    validation = Validation.from_arrays(np.zeros((2, *models.IMAGE[1:]), np.float32))
    with pytest.raises(CheckpointError, match=r"model_sha256 is [0-9a-f]{64} there and"):
        guarded(state, model=models.conv_net(), guard=Guard(1.0, validation))


def test_another_version_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_identity, "__version__", "99.0")
    with pytest.raises(CheckpointError, match=r"tflite_eq is .* there and 99\.0 here"):
        guarded(state)


@pytest.mark.parametrize("name", ["guard.json", "guard_drop_*", "guard_*/layer_0001"])
def test_a_file_cut_in_half_is_refused(state: Path, name: str) -> None:
    path = next(iter(sorted(state.glob(name))))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=rf"{path.name} is .*cut off.*; delete"):
        guarded(state)


@pytest.mark.parametrize("content", ["[]", '{"points": "few"}', '{"points": 1.0}'])
def test_a_loss_that_is_none_is_refused(state: Path, content: str) -> None:
    path = min(state.glob("guard_drop_*"))
    path.write_text(content)
    with pytest.raises(CheckpointError, match=f"{path.name} is cut off or changed; delete it"):
        guarded(state)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("run.json", "the state of a run without --max_drop"),
        ("a.tex", r"files, such as 'a\.tex'"),
    ],
)
def test_a_folder_with_other_files_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(CheckpointError, match=f"{expected}.*name an empty or new folder"):
        guarded(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_guards_folder_is_no_calibrations(state: Path) -> None:
    with pytest.raises(CheckpointError, match="the state of a run with --max_drop; name an empty"):
        quantize(networks.planted(), CALIBRATION, CONFIG, resume_dir=state)


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="it is a file; name a folder"):
        guarded(tmp_path / "file")
    with pytest.raises(TfliteEqError, match="cannot be written"):
        guarded(Path("/proc/state"))
