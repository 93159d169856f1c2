from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.commands import one_line
from tests.evaluation import classifiers
from tests.evaluation.classifiers import IMAGES
from tflite_eq.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models, images, labels and the same as an .npz."""
    monkeypatch.chdir(tmp_path)
    Path("float.tflite").write_bytes(classifiers.float_classifier())
    Path("int8.tflite").write_bytes(classifiers.int8_classifier("uint8"))
    Path("pics").mkdir()
    rows = ["file,label,coarse"]
    for index, image in enumerate(IMAGES[:20]):
        Image.fromarray(np.kron(image, np.ones((2, 2, 1), np.uint8))).save(f"pics/{index}.png")
        rows.append(f"{index}.png,{index % 10},{'' if index < 15 else index % 3}")
    Path("labels.csv").write_text("\n".join(rows))
    np.savez("data.npz", images=IMAGES, labels=np.arange(60) % 10)
    return tmp_path


def tflite_eq(arguments: str) -> int:
    return main.main(main.parse(["tflite-eq", "evaluate", *arguments.split()]))


def result_line(output: str) -> dict[str, Any]:
    last = output.splitlines()[-1]
    assert last.startswith("RESULT ")
    parsed: dict[str, Any] = json.loads(last[len("RESULT ") :])
    return parsed


@pytest.mark.usefixtures("here")
def test_table_json_and_last_line_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--dataset pics --labels labels.csv --reference float.tflite --num_workers 1"
    assert tflite_eq(f"--model int8.tflite --model float.tflite {flags} --json out.json") == 0
    output = capsys.readouterr().out
    result = result_line(output)
    assert result.pop("peak_memory_mib") > 0
    assert result == json.loads(Path("out.json").read_text())
    assert [m["name"] for m in result["models"]] == ["float.tflite", "int8.tflite"]
    header, reference, int8 = output.splitlines()[:3]
    assert len(header) == len(reference) == len(int8)
    assert reference.startswith("float.tflite *")
    measured = result["models"][1]
    for name in ("top1", "top5", "agreement", "sqnr_db", "top1_drop"):
        shown = "{value:.1f} [{low:.1f}, {high:.1f}]".format(**measured[name])
        assert shown in int8
    assert measured["n"] == 20
    assert measured["agreement"]["value"] > 60


@pytest.mark.usefixtures("here")
def test_label_column_limit_and_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--dataset pics --labels labels.csv --num_workers 1"
    assert tflite_eq(f"--model int8.tflite {flags} --label_column coarse") == 0
    assert result_line(capsys.readouterr().out)["models"][0]["n"] == 5
    assert tflite_eq(f"--model int8.tflite {flags} --limit 7 --kernels reference") == 0
    result = result_line(capsys.readouterr().out)
    assert result["models"][0]["n"] == 7
    assert result["models"][0]["agreement"] is None
    assert result["kernels"] == "reference"


@pytest.mark.usefixtures("here")
def test_preprocessing_reaches_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--model float.tflite --dataset data.npz --num_workers 1"
    outputs = []
    for preprocessing in ("", "--image_mean 0 --image_std 1,1,1", "--image_std=9"):
        assert tflite_eq(f"{flags} {preprocessing}") == 0
        outputs.append(result_line(capsys.readouterr().out)["models"][0]["top1"])
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.usefixtures("here")
def test_models_of_the_same_name_go_by_their_paths(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").mkdir()
    Path("old/int8.tflite").write_bytes(classifiers.int8_classifier("int8"))
    flags = "--model old/int8.tflite --dataset data.npz --num_workers 1"
    assert tflite_eq(f"--model int8.tflite --model ./int8.tflite {flags}") == 0
    names = [m["name"] for m in result_line(capsys.readouterr().out)["models"]]
    assert names == ["int8.tflite", "old/int8.tflite"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model none.tflite --dataset data.npz", "none.tflite: no such file"),
        ("--model pics --dataset data.npz", "pics: cannot read the model: Is a directory"),
        ("--model labels.csv --dataset data.npz", "labels.csv: not a TFLite flatbuffer"),
        ("--model float.tflite --dataset none", "none: no such file or folder"),
        (f"--model float.tflite --dataset {'a' * 300}", "cannot be looked at: File name too long"),
        ("--model float.tflite --dataset pics", "name the CSV file with their classes"),
        ("--model float.tflite --dataset pics --labels x.csv", "x.csv: no such file"),
        (
            "--model float.tflite --dataset pics --labels labels.csv --label_column c",
            "has no column 'c'",
        ),
        ("--model float.tflite --dataset data.npz --labels labels.csv", "leave out --labels"),
        ("--model float.tflite --dataset data.npz --reference no", "no: no such file"),
        ("--model float.tflite --dataset data.npz --image_std 0", "--image_std 0: must be > 0"),
        ("--model float.tflite --dataset data.npz --image_mean a,b", "--image_mean 'a,b'"),
        ("--model float.tflite --dataset data.npz --limit 0", "--limit 0"),
        ("--model float.tflite --dataset data.npz --num_workers 0", "--num_workers 0"),
        ("--model float.tflite --dataset data.npz --json no/out.json", "does not exist"),
        ("--model float.tflite --dataset data.npz --json pics", "it is a folder"),
    ],
)
@pytest.mark.usefixtures("here")
def test_mistakes_are_explained_and_leave_no_file(
    flags: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = "" if "--json" in flags else " --json out.json"
    assert tflite_eq(flags + extra) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert "RESULT" not in captured.out
    assert not Path("out.json").exists()


@pytest.mark.usefixtures("here")
def test_a_broken_image_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pics/13.png").write_bytes(b"\x89PNG broken")
    flags = "--dataset pics --labels labels.csv --num_workers 2 --json out.json"
    assert tflite_eq(f"--model float.tflite {flags}") == 1
    assert "pics/13.png: cannot be read as an image" in capsys.readouterr().err
    assert not Path("out.json").exists()


@pytest.mark.usefixtures("here")
def test_without_ray_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert tflite_eq("--model float.tflite --dataset data.npz --engine ray --json out.json") == 1
    assert one_line(capsys.readouterr().err) == (
        "error: evaluating on a cluster needs Ray: pip install 'tflite-eq[ray]', or leave out "
        "--engine ray to use the cores of this machine"
    )
    assert not Path("out.json").exists()


@pytest.mark.usefixtures("here")
def test_no_progress_bar_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert tflite_eq("--model float.tflite --dataset data.npz --num_workers 1") == 0
    assert "image/s" not in capfd.readouterr().err
