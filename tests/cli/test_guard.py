"""``quantize --max_drop``."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.commands import Workspace
from tests.evaluation import classifiers
from tests.guard import networks
from tflite_eq.calibration import calibrate_once as calibration_pass
from tflite_eq.cli.guard import text
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.report.guard_record import GuardRecord, Price, Step
from tflite_eq.report.model import TargetSummary
from tflite_eq.targets import Target


@pytest.fixture
def guarded(workspace: Workspace) -> dict[str, Any]:
    """Flags that quantize the planted network with a guard."""
    return {
        "model": workspace.write("planted.tflite", networks.planted()),
        "calibration": workspace.array("calibration.npy", networks.arrays(30, seed=6)),
        "validation": workspace.array("validation.npy", networks.arrays(1000, seed=5)),
        "bits": 7,
        "method": "minmax",
        "max_drop": 14,
    }


def test_what_it_prints_gives_the_same_model(workspace: Workspace, guarded: dict[str, Any]) -> None:
    finished = workspace.quantize(**guarded)
    assert finished.code == 0
    result = finished.result["guard"]
    assert result["holds"]
    assert result["measure"] == "disagreement"
    assert result["drop"] <= 14 < result["plain_drop"]
    assert len(result["kept_int8"]) == 1
    assert "bytes" in finished.out.split("Price:")[1]
    lines = finished.out.splitlines()
    options = shlex.split(lines[lines.index("The same model without --max_drop:") + 1])
    model = workspace.output.read_bytes()
    again = {**guarded, "max_drop": None, "validation": None}
    assert workspace.quantize(*options, **again).code == 0
    assert workspace.output.read_bytes() == model


def test_a_bound_that_cannot_be_met(workspace: Workspace, guarded: dict[str, Any]) -> None:
    finished = workspace.quantize(**{**guarded, "max_drop": 0})
    assert finished.code == 3
    assert "CANNOT BE MET; this is the best model found" in finished.out
    assert finished.result["guard"]["drop"] > 0
    assert workspace.output.exists()


def test_a_report_shows_the_model_that_the_guard_chose(
    workspace: Workspace, guarded: dict[str, Any]
) -> None:
    assert workspace.quantize(**guarded).code == 0
    model = workspace.output.read_bytes()
    report = workspace.folder / "report"
    finished = workspace.quantize(**guarded, report_dir=report)
    assert finished.code == 0
    assert workspace.output.read_bytes() == model
    assert "1000 samples of" in (report / "report.html").read_text()
    record = json.loads((report / "report.json").read_text())["guard"]
    final = record["steps"][record["chosen"]]
    result = finished.result["guard"]
    assert (final["loss"]["value"], final["kept_int8"]) == (result["drop"], result["kept_int8"])
    assert len(record["steps"]) == result["tries"]


def test_a_bound_that_cannot_be_met_is_reported_too(
    workspace: Workspace, guarded: dict[str, Any]
) -> None:
    report, record = workspace.folder / "report", workspace.folder / "record.json"
    flags = {**guarded, "max_drop": 0, "report_dir": report, "save_calibration": record}
    assert workspace.quantize(**flags).code == 3
    assert "No model tried keeps the bound" in (report / "report.html").read_text()
    model = workspace.output.read_bytes()
    # The record written beside it is that of the model found.
    again = {"model": guarded["model"], "calibration": None, "load_calibration": record}
    assert workspace.quantize(**again).code == 0
    assert workspace.output.read_bytes() == model


def test_an_interrupted_run_goes_on(workspace: Workspace, guarded: dict[str, Any]) -> None:
    folder = workspace.folder / "state"
    first = workspace.quantize(**guarded, resume_dir=folder)
    model = workspace.output.read_bytes()
    again = workspace.quantize(**guarded, resume_dir=folder)
    assert workspace.output.read_bytes() == model
    assert again.result["guard"] == first.result["guard"]
    assert "resumed" in again.err
    assert "resumed" not in first.err


def labelled(workspace: Workspace) -> tuple[Path, Path]:
    folder = workspace.folder / "pics"
    folder.mkdir()
    rows = ["file,label"]
    for index, image in enumerate(classifiers.IMAGES[:20]):
        Image.fromarray(image).save(folder / f"{index}.png")
        rows.append(f"{index}.png,{index % 10}")
    return folder, workspace.write("labels.csv", "\n".join(rows).encode())


def test_with_labels_the_bound_is_about_top_1(workspace: Workspace) -> None:
    folder, labels = labelled(workspace)
    model = workspace.write("classifier.tflite", classifiers.float_classifier())
    flags = {"model": model, "calibration": folder, "validation": folder, "max_drop": 1}
    finished = workspace.quantize(**flags, labels=labels)
    result = finished.result["guard"]
    assert finished.code == (0 if result["drop"] <= 1 else 3)
    assert result["measure"] == "top-1 drop"
    assert result["images"] == 20
    assert "20 images cannot tell a loss of 1 points from a larger one" in finished.out
    assert "use 276 or more" in finished.out


def test_an_npz_file_may_hold_the_labels(workspace: Workspace) -> None:
    model = workspace.write("classifier.tflite", classifiers.float_classifier())
    path = workspace.folder / "data.npz"
    np.savez(path, images=classifiers.IMAGES, labels=np.arange(60) % 10)
    finished = workspace.quantize(model=model, calibration=path, validation=path, max_drop=20)
    assert finished.result["guard"]["measure"] == "top-1 drop"
    assert "--validation and --calibration name the same data" in finished.err


def test_another_column_may_hold_the_labels(workspace: Workspace) -> None:
    folder, labels = labelled(workspace)
    labels.write_text(labels.read_text().replace("file,label", "file,other"))
    model = workspace.write("classifier.tflite", classifiers.float_classifier())
    flags = {"model": model, "calibration": folder, "validation": folder, "labels": labels}
    assert "labels.csv: has no column 'label'" in workspace.refused(**flags, max_drop=20)
    finished = workspace.quantize(**flags, max_drop=20, label_column="other")
    assert finished.result["guard"]["measure"] == "top-1 drop"


def test_a_column_without_labels(workspace: Workspace) -> None:
    message = workspace.refused(validation=workspace.data, label_column="x", max_drop=1)
    assert "--label_column x: there are no labels" in message


def test_a_broken_image_is_found_before_calibrating(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, labels = labelled(workspace)
    (folder / "7.png").write_bytes((folder / "7.png").read_bytes()[:60])
    model = workspace.write("classifier.tflite", classifiers.float_classifier())
    calibration = workspace.array("x.npy", classifiers.IMAGES[:5])
    monkeypatch.setattr(calibration_pass, "observe_ranges", lambda *_: pytest.fail("calibrated"))
    flags = {"model": model, "calibration": calibration, "validation": folder, "labels": labels}
    for purpose in ({"max_drop": 1}, {"report_dir": workspace.folder / "report"}):
        assert "7.png: cannot be read as an image" in workspace.refused(**flags, **purpose)


def test_a_bound_without_validation_data(workspace: Workspace) -> None:
    message = workspace.refused(max_drop=0.5)
    assert "--max_drop holds on validation data" in message
    assert "--validation" in message


@pytest.mark.parametrize("bound", ["-1", "101", "nan", "inf"])
def test_bounds_without_meaning(workspace: Workspace, bound: str) -> None:
    message = workspace.refused(f"--max_drop={bound}", validation=workspace.data)
    assert "must be percentage points from 0 to 100" in message


def test_a_bound_that_is_no_number(workspace: Workspace) -> None:
    message = workspace.refused(max_drop="little", validation=workspace.data)
    assert "--max_drop" in message


def test_a_bound_for_a_loaded_record(workspace: Workspace) -> None:
    message = workspace.refused(
        calibration=None, load_calibration="r.json", validation=workspace.data, max_drop=1
    )
    assert "--max_drop and --load_calibration exclude each other" in message


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("not_there.png,1", "other.csv, line 2: no such image"),
        ("0.png,10", "label 10 is outside 0..9, the classes of the model"),
        ("0.png,cat", "other.csv, line 2: label 'cat' is not an integer"),
    ],
)
def test_labels_of_unknown_files_and_unknown_labels(
    workspace: Workspace, row: str, expected: str
) -> None:
    folder, _ = labelled(workspace)
    labels = workspace.write("other.csv", f"file,label\n{row}\n".encode())
    model = workspace.write("classifier.tflite", classifiers.float_classifier())
    message = workspace.refused(
        model=model, calibration=folder, validation=folder, labels=labels, max_drop=1
    )
    assert expected in message


def test_validation_data_of_another_shape(workspace: Workspace) -> None:
    other = workspace.array("other.npy", np.zeros((3, 5), np.float32))
    assert "other.npy" in workspace.refused(validation=other, max_drop=1)


def test_an_expression_for_eight_bits_where_all_have_them(workspace: Workspace) -> None:
    assert "with bits 8 every layer keeps 8 bits" in workspace.refused(keep_int8="a")


def described(target: str, **price: Any) -> str:
    """What is printed of a guard that kept one layer, at these prices."""
    vnni = TargetSummary("x86-vnni", True, "", 5, 9, 1e6, 1.5)
    avx2 = TargetSummary("x86-avx2", False, "no kernels for it")
    before = Price(1000, 0.0, (avx2, vnni))
    slower = dataclasses.replace(vnni, claimed=4, speedup=1.25)
    after = dataclasses.replace(before, size_bytes=1024, targets=(avx2, slower), **price)
    steps = (
        Step((), (), Estimate(3.0), False, before),
        Step(("a b",), (), Estimate(0.2, 0.1, 0.3), True, after),
    )
    record = GuardRecord(
        *(0.5, "top-1 drop", 9000, "9000 labelled samples", steps, 1, (), (), "^a b$", None, ())
    )
    return text(record, Target(target))


def test_the_price_in_size_and_speed() -> None:
    printed = described("x86-vnni", float_share=0.25)
    assert "top-1 drop 0.20 [0.10, 0.30] points on 9000 images (3.00 with nothing kept)" in printed
    assert "Price: +24 bytes (1,000 -> 1,024)." in printed
    assert "on x86-vnni (an estimate): 1.25 instead of 1.50, 4 instead of 5 of 9" in printed
    assert "25 % of the multiplications are in float (before 0 %)" in printed
    assert "--keep_int8 '^a b$'" in printed


def test_all_cpu_families_are_priced_where_none_is_chosen() -> None:
    assert "on x86-vnni (an estimate): 1.25 instead of 1.50" in described("generic")


def test_a_price_that_is_not_known_is_said_to_be_so() -> None:
    assert "Price in speed unknown: no kernels for it" in described("x86-avx2")


def test_a_task_says_what_the_bound_is_about(workspace: Workspace, guarded: dict[str, Any]) -> None:
    finished = workspace.quantize(**{**guarded, "max_drop": 1}, task="embed")
    assert finished.code == 0
    result = finished.result["guard"]
    assert (result["measure"], result["unit"], result["tries"]) == ("cosine loss", "", 1)
    assert "Guard: cosine loss 0.0" in finished.out
    assert "the bound of 1 holds" in finished.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"task": "segment"}, "task segment judges a map"),
        ({"task": "embed", "metric": "f1"}, "--metric f1: task embed has no such figure"),
        ({"truth": "truth.npy"}, "give --task, one of classify"),
        ({"task": "embed", "max_drop": None, "validation": None}, "says what --max_drop is about"),
        ({"task": "embed", "truth": "none.npy"}, "none.npy: no such file"),
        ({"metric": "nothing_here:gap"}, "no module 'nothing_here'"),
    ],
)
def test_tasks_that_no_bound_can_be_about_are_refused(
    workspace: Workspace, guarded: dict[str, Any], flags: dict[str, Any], message: str
) -> None:
    assert message in workspace.refused(**{**guarded, **flags})
