"""What a look at the options or at the model decides is said before anything else is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models, running, shared_data
from tests.cli.commands import Workspace
from tflite_eq.cli import quantize


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a model, which may take TensorFlow, is a fault here."""

    def never(path: str) -> Any:
        raise AssertionError(f"{path} is loaded")

    monkeypatch.setattr(quantize, "load_float_model", never)


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"num_samples": 0}, "at least one sample"),
        ({"image_mean": "red"}, "expected one number, or one per channel"),
        ({"image_std": "0"}, "must be > 0"),
        ({"skip": "("}, "not a valid regular expression"),
        ({"keep_int8": "(", "bits": "7"}, "not a valid regular expression"),
        ({"calibration": "absent"}, "absent: no such file or folder"),
        ({"validation": "absent", "report_dir": "report"}, "absent: no such file or folder"),
        ({"resume_dir": "{data}"}, "it is a file; name a folder"),
        ({"output": "absent/out.tflite"}, "does not exist; create it first"),
        ({"report_dir": "{data}"}, "is a file"),
        ({"max_drop": 1}, "--max_drop holds on validation data"),
        ({"calibration": None, "load_calibration": "{data}"}, "data.npy"),
    ],
)
def test_options_are_judged_before_the_model_is_loaded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], expected: str
) -> None:
    monkeypatch.chdir(workspace.folder)
    given = {name: str(value).format(data=workspace.data) for name, value in flags.items()}
    given = {name: None if flags[name] is None else value for name, value in given.items()}
    assert expected in workspace.refused(**given)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "already quantized"),
        ({"report_dir": "report"}, "already quantized"),
        ({"validation": "data", "report_dir": "report"}, "already quantized"),
    ],
)
def test_the_model_is_judged_before_data_are_opened(
    workspace: Workspace, flags: dict[str, str], expected: str
) -> None:
    """The data fit no model at all."""
    unfit = workspace.array("unfit.npy", np.zeros((3, 7), np.float32))
    int8 = workspace.write("int8.tflite", running.quantized("conv_net").model)
    given = {**flags, **({"validation": unfit} if "validation" in flags else {})}
    if "report_dir" in given:
        given["report_dir"] = str(workspace.folder / "report")
    assert expected in workspace.refused(model=int8, calibration=unfit, **given)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"skip": "no_such_layer"}, "matches no operator output"),
        ({"skip": "."}, "so the result would be a float model"),
        ({"keep_int8": "no_such_layer", "bits": "7"}, "matches no convolution or dense layer"),
    ],
)
def test_expressions_are_judged_before_data_are_opened(
    workspace: Workspace, flags: dict[str, str], expected: str
) -> None:
    unfit = workspace.array("unfit.npy", np.zeros((3, 7), np.float32))
    assert expected in workspace.refused(calibration=unfit, **flags)


def test_too_few_samples_to_fine_tune_on_are_refused_before_the_network_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tflite_eq.calibration.calibrate_once.observe_ranges", None)
    message = workspace.refused(bias_correction="finetune", num_samples=4)
    assert "finetune needs at least 5 calibration samples" in message


# Imports that take seconds, and those without which nothing is run.
UNNEEDED = (
    *("tensorflow", "keras", "tf_keras", "h5py", "pandas", "sklearn", "ray"),
    *("ai_edge_litert.interpreter", "tflite_runtime.interpreter"),
)

REFUSED = f"""
import json, sys
opened = set()
watched = ("open", "subprocess.Popen")
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event in watched else None)
from tflite_eq.cli.main import main, parse
arguments = sys.argv[1:]
code = main(parse(["tflite-eq", "quantize", *arguments]))
imported = [name for name in {UNNEEDED} if name in sys.modules]
used = [name for name in (*arguments, sys.executable) if name in opened]
print(json.dumps([code, imported, used]))
"""


def refused_alone(model: Path, folder: Path, **flags: str) -> str:
    """The message of a command that reads the model and no more, in a process of its own."""
    np.save(folder / "x.npy", np.zeros((2, 8), np.float32))
    given = {"model": str(model), "calibration": str(folder / "x.npy"), **flags}
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-c", REFUSED, *arguments, "--output", str(folder / "out.tflite")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    code, imported, used = json.loads(ended.stdout)
    assert code == 1
    assert imported == []
    assert used == [str(model)]
    [line] = ended.stderr.splitlines()
    return line


def test_a_quantized_model_is_refused_by_a_look_at_it(tmp_path: Path) -> None:
    model = tmp_path / "int8.tflite"
    model.write_bytes(running.quantized("conv_net").model)
    assert "already quantized" in refused_alone(model, tmp_path)


@pytest.mark.parametrize("name", ["okay_nabu", "yamnet", "ssd_mnv2_fpnlite"])
def test_models_of_others_are_refused_by_a_look_at_them(tmp_path: Path, name: str) -> None:
    message = refused_alone(shared_data.zoo(f"{name}.tflite"), tmp_path)
    assert f"{name}.tflite" in message
    assert "quantized" in message or "keeps state outside" in message


def test_the_schema_is_read_without_importing_tensorflow(tmp_path: Path) -> None:
    """Where TensorFlow is the only runtime, its schema does not take the whole of it."""
    (tmp_path / "m.tflite").write_bytes(models.conv_net())
    script = (
        "import sys; sys.modules['ai_edge_litert'] = None\n"
        "from tflite_eq.graph.model import Graph\n"
        "graph = Graph.from_bytes(open(sys.argv[1], 'rb').read())\n"
        "print(len(graph.operators), 'tensorflow' in sys.modules)\n"
        "from tflite_eq.graph import schema\n"
        "from tensorflow.lite.python import schema_py_generated\n"
        "print(schema_py_generated is schema.schema())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "m.tflite")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "6 False\nTrue\n"
