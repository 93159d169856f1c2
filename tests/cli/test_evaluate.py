from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import models
from tests.cli.commands import one_line
from tests.evaluation import classifiers, several_outputs
from tests.evaluation.classifiers import IMAGES
from tflite_eq.cli import main
from tflite_eq.evaluation.ends import inputs_of
from tflite_eq.graph.model import Graph


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


@pytest.fixture
def heads(here: Path) -> Path:
    """Two networks with two outputs, one percent and ten percent apart, and images for them."""
    Path("heads.tflite").write_bytes(several_outputs.network())
    Path("other.tflite").write_bytes(several_outputs.network(1.01, 0.9))
    np.save("heads.npy", np.concatenate(several_outputs.images()))
    np.savez("heads.npz", x=np.concatenate(several_outputs.images()), label=np.arange(5) % 3)
    return here


@pytest.mark.usefixtures("heads")
def test_without_labels_every_output_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--model other.tflite --reference heads.tflite --dataset heads.npy --num_workers 1"
    assert tflite_eq(f"{flags} --json out.json") == 0
    output = capsys.readouterr().out
    result = result_line(output)
    assert result.pop("peak_memory_mib") > 0
    assert result == json.loads(Path("out.json").read_text())
    assert result["judged_by"] == "reference"
    assert result["reference"]["name"] == "heads.tflite"
    (model,) = result["models"]
    header, *rows = output.splitlines()[:3]
    assert "SQNR dB" in header
    assert "top-1" not in output
    for row, measured, decibels in zip(rows, model["outputs"], (40, 20)):
        assert measured["sqnr_db"]["value"] == pytest.approx(decibels, abs=0.01)
        assert "{value:.1f} [{low:.1f}, {high:.1f}]".format(**measured["sqnr_db"]) in row
        assert row.endswith(f" {measured['max_error']['sample']}")
        assert f"{measured['max_error']['value']:.4g}" in row
        assert "x".join(map(str, measured["shape"])) in row
    assert rows[0].startswith("other.tflite ")
    assert "Compared with heads.tflite" in output
    assert tflite_eq(f"{flags} --limit 2") == 0
    (model,) = result_line(capsys.readouterr().out)["models"]
    assert model["outputs"][0]["n"] == 2


@pytest.mark.usefixtures("heads")
def test_labels_of_an_npz_that_cannot_judge_are_left_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = "--model other.tflite --reference heads.tflite --dataset heads.npz --num_workers 1"
    assert tflite_eq(flags) == 0
    captured = capsys.readouterr()
    assert result_line(captured.out)["judged_by"] == "reference"
    assert "note: heads.npz: its labels are not used: heads.tflite is no classifier" in captured.err
    assert tflite_eq(f"{flags} --label_column label") == 1
    assert "heads.tflite: has 2 outputs, and labels judge classifiers" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_classifier_without_labels_is_compared_too(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--model int8.tflite --reference float.tflite --num_workers 1"
    assert tflite_eq(f"{flags} --dataset pics") == 0
    output = capsys.readouterr().out
    assert "agreement %" in output
    (model,) = result_line(output)["models"]
    assert model["outputs"][0]["agreement"]["value"] > 60
    assert tflite_eq(f"{flags} --dataset data.npz") == 0
    output = capsys.readouterr().out
    assert result_line(output)["judged_by"] == "labels"
    assert "Judged as classifiers, by the labels: one output, a vector of 10 classes." in output


@pytest.mark.usefixtures("here")
def test_a_map_of_classes_has_no_top1(capsys: pytest.CaptureFixture[str]) -> None:
    segmenter = models.convert(lambda x: models.conv(x, 10, seed=1), classifiers.SHAPE)
    Path("map.tflite").write_bytes(segmenter)
    Path("again.tflite").write_bytes(segmenter)
    assert tflite_eq("--model map.tflite --dataset pics --labels labels.csv --num_workers 1") == 1
    message = one_line(capsys.readouterr().err)
    assert "map.tflite: the output has shape [1, 8, 8, 10], no vector of classes" in message
    assert "leave out --labels and --label_column and name it with --reference" in message
    # What the message says.
    flags = "--model map.tflite --reference again.tflite --num_workers 1"
    for dataset in ("pics", "data.npz"):
        assert tflite_eq(f"{flags} --dataset {dataset}") == 0
        output = capsys.readouterr().out
        assert result_line(output)["models"][0]["outputs"][0]["identical"]
        assert "identical" in output.splitlines()[1]


@pytest.mark.usefixtures("here")
def test_images_get_the_size_that_a_reference_leaves_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def network(x: Any) -> Any:
        return models.conv(x / 64.0, 5, seed=1)

    Path("open.tflite").write_bytes(models.convert(network, (None, None, None, 3)))
    Path("fixed.tflite").write_bytes(models.convert(network, classifiers.SHAPE))
    flags = "--dataset pics --num_workers 1"
    assert tflite_eq(f"--reference open.tflite --model fixed.tflite {flags}") == 0
    (output,) = result_line(capsys.readouterr().out)["models"][0]["outputs"]
    assert output["shape"] == [1, 8, 8, 5]
    assert output["sqnr_db"]["value"] is None or output["sqnr_db"]["value"] > 100


@pytest.mark.usefixtures("here")
def test_an_npz_holds_an_array_for_each_input(capsys: pytest.CaptureFixture[str]) -> None:
    network = models.two_input_net()
    for name in ("a.tflite", "b.tflite"):
        Path(name).write_bytes(network)
    names = [end.name for end in inputs_of(Graph.from_bytes(network))]
    samples = models.data("two_input_net", 4)
    columns = [np.concatenate(column) for column in zip(*samples)]
    np.savez("two.npz", **dict(zip(names, columns)))
    flags = "--model a.tflite --reference b.tflite --num_workers 1"
    assert tflite_eq(f"{flags} --dataset two.npz") == 0
    assert result_line(capsys.readouterr().out)["models"][0]["outputs"][0]["n"] == 4
    np.savez("one.npz", **{names[0]: columns[0]})
    assert tflite_eq(f"{flags} --dataset one.npz") == 1
    assert f"called like the model's input '{names[1]}'" in one_line(capsys.readouterr().err)
    np.savez("uneven.npz", **{names[0]: columns[0], names[1]: columns[1][:2]})
    assert tflite_eq(f"{flags} --dataset uneven.npz") == 1
    assert "different numbers of samples" in one_line(capsys.readouterr().err)
    for name, column in zip(names, columns):
        np.save(f"{name}.npy", column)
    each = " ".join(f"--dataset {name}={name}.npy" for name in names)
    assert tflite_eq(f"{flags} {each} --limit 3") == 0
    assert result_line(capsys.readouterr().out)["models"][0]["outputs"][0]["n"] == 3
    assert tflite_eq(f"{flags} {each} --labels labels.csv") == 1
    assert "--dataset is given several times" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model none.tflite --dataset data.npz", "none.tflite: no such file"),
        ("--model pics --dataset data.npz", "pics: cannot read the model: Is a directory"),
        ("--model labels.csv --dataset data.npz", "labels.csv: not a TFLite flatbuffer"),
        ("--model float.tflite --dataset none", "none: no such file or folder"),
        (f"--model float.tflite --dataset {'a' * 300}", "cannot be looked at: File name too long"),
        ("--model float.tflite --dataset pics", "name the CSV file with their classes"),
        ("--model float.tflite --dataset pics", "compare all outputs with, with --reference"),
        (
            "--model float.tflite --reference float.tflite --dataset pics",
            "nothing to compare with float.tflite",
        ),
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
