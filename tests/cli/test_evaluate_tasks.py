"""``tflite-eq evaluate --task``, ``--metric`` and ``--truth``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import running
from tests.cli.commands import one_line
from tests.evaluation import classifiers
from tests.evaluation.tasks import networks
from tflite_eq.cli import main

METRICS = """
import numpy as np
import tflite_eq

def gap(found, expected):
    return float(max(np.abs(found[name] - expected[name]).max() for name in found))

lower = tflite_eq.Metric(gap, higher_is_better=False, unit="dB")
broken = lambda found, expected: found["none"]
number = 3

def truth():
    return [np.zeros((8, 8), int)] * 24
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segmenter and another one, samples for them, and functions."""
    monkeypatch.chdir(tmp_path)
    Path("float.tflite").write_bytes(networks.segmenter())
    Path("other.tflite").write_bytes(networks.segmenter(0.4))
    np.save("samples.npy", networks.samples())
    Path("own_metrics.py").write_text(METRICS)
    return tmp_path


def evaluate(arguments: str) -> int:
    flags = f"evaluate {arguments} --num_workers 1"
    return main.main(main.parse(["tflite-eq", *flags.split()]))


MODELS = "--model other.tflite --dataset samples.npy"
BESIDE = f"{MODELS} --reference float.tflite"


@pytest.mark.usefixtures("here")
def test_table_and_json_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(f"{BESIDE} --task segment --json out.json") == 0
    output = capsys.readouterr().out
    found = json.loads(Path("out.json").read_text())
    assert (found["judged_by"], found["against"], found["n"]) == ("task segment", "reference", 24)
    (model,) = found["models"]
    header, row, *rest = output.splitlines()
    assert header.split()[:2] == ["model", "MB"]
    for figure in found["figures"]:
        shown = "{value:.2f} [{low:.2f}, {high:.2f}]".format(**model["figures"][figure["name"]])
        assert shown in row
        assert figure["higher_is_better"] is True
        assert figure["loss_unit"] == "points"
    assert "higher is better" in " ".join(rest)
    assert "Compared with float.tflite" in output  # how close every output is
    assert model["outputs"][0]["sqnr_db"]["value"] > 0


@pytest.mark.usefixtures("here")
def test_a_limit_chooses_samples_with_their_truth(capsys: pytest.CaptureFixture[str]) -> None:
    model = networks.segmenter()
    classes = [running.run(model, [x[None]])[0][0].argmax(-1) for x in networks.samples()]
    np.save("truth.npy", np.stack(classes))
    assert evaluate(f"{BESIDE} --task segment --truth truth.npy --limit 5 --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 5
    reference, other = found["models"]
    assert reference["figures"]["mean_iou"]["value"] == 100
    assert 0 < other["losses"]["mean_iou"]["value"] < 100


@pytest.mark.usefixtures("here")
def test_functions_judge(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(f"{BESIDE} --metric own_metrics:lower --json") == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["figures"]["gap"]["value"] == pytest.approx(0.4, abs=1e-5)
    assert evaluate(f"{MODELS} --task segment --truth own_metrics:truth --json") == 0
    assert json.loads(capsys.readouterr().out)["against"] == "truth"


def test_labels_tell_who_is_on_an_image(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("embedder.tflite").write_bytes(classifiers.float_classifier(softmax=False))
    Path("faces").mkdir()
    rows = ["file,label"]
    for index, image in enumerate(classifiers.IMAGES[:12]):
        Image.fromarray(image).save(f"faces/{index}.png")
        rows.append(f"{index}.png,{1000 + index // 3}")  # no classes of the model
    Path("people.csv").write_text("\n".join(rows))
    flags = "--model embedder.tflite --dataset faces --labels people.csv --task embed --json"
    assert evaluate(flags) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["against"] == "truth"
    assert 50 <= found["models"][0]["figures"]["verification"]["value"] <= 100
    assert any("too narrow" in note for note in found["notes"])


def test_a_classifier_with_labels_is_judged_by_its_logits_as_ever(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("classes.tflite").write_bytes(classifiers.float_classifier())
    np.savez("labelled.npz", images=classifiers.IMAGES, labels=np.arange(60) % 10)
    flags = "--model classes.tflite --dataset labelled.npz --json"
    found: list[Any] = []
    for task in ("", "--task classify"):
        assert evaluate(f"{flags} {task}") == 0
        plain = json.loads(capsys.readouterr().out)
        del plain["peak_memory_mib"]
        found.append(plain)
    assert found[0] == found[1]
    assert found[0]["judged_by"] == "labels"
    assert evaluate(f"{flags} --task classify --task_option k=3") == 0
    by_task = json.loads(capsys.readouterr().out)["models"][0]["figures"]
    assert by_task["top1"] == found[0]["models"][0]["top1"]
    assert list(by_task) == ["top1", "top3"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (f"{MODELS} --task segment", "name a float model with --reference, or ground truth"),
        (f"{BESIDE} --task embed", "task embed judges a vector; found 'Identity'"),
        (f"{BESIDE} --task detect", "--decode module:function"),
        (f"{BESIDE} --truth samples.npy", "give --task, one of classify"),
        (f"{BESIDE} --task segment --truth none.npy", "none.npy: no such file"),
        (f"{BESIDE} --task segment --truth samples.npy", "expected a mask"),
        (f"{BESIDE} --task segment --labels a.csv", "judges by --truth: a mask"),
        (f"{BESIDE} --task segment --metric pixel_accuracy", "shows all figures"),
        (f"{BESIDE} --task segment --metric own_metrics:gap", "has figures of its own"),
        (f"{BESIDE} --metric gap", "expected package.module:function"),
        (f"{BESIDE} --metric none:gap", "no module 'none'"),
        (f"{BESIDE} --metric own_metrics:none", "nothing is called 'none'"),
        (f"{BESIDE} --metric own_metrics:number", "names a int; name a function"),
        (f"{BESIDE} --metric own_metrics:broken", "fails with KeyError: 'none'"),
        (f"{BESIDE} --task segment --decode own_metrics:gap", "fails with TypeError"),
        (f"{BESIDE} --task segment --task_option ignore", "expected NAME=VALUE"),
        (f"{BESIDE} --task segment --task_option a=1", "choose one of ignore, output"),
        (f"{BESIDE} --task segment --task_option ignore=x", "takes a whole number"),
        (f"{BESIDE} --task classify --task_option k=0", "a number of classes above 0"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], flags: str, message: str) -> None:
    assert evaluate(flags) == 1
    assert message in one_line(capsys.readouterr().err)
