"""``tflite-eq demo``: what it leaves, and that its figure is the one README.md begins with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tflite_eq.cli.main import main, parse
from tflite_eq.demonstration import digits

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def run(*words: str | Path) -> int:
    return main(parse(["tflite-eq", *map(str, words)]))


def test_the_figure_of_the_readme_is_what_the_command_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made" / "here"
    assert run("demo", "--output_dir", folder, "--json") == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert {path.name for path in folder.iterdir()} == {
        *("net_float.tflite", "samples.npy", "validation.npz", "net_int8.tflite"),
    }
    found = {model["name"]: model["sqnr_db"]["value"] for model in models}
    told = re.search(r"(\d+\.\d) dB .*?(\d+\.\d) dB", README, re.DOTALL)
    assert told is not None
    ours, default = map(float, told.groups())
    # Choices between nearly equal scales depend on the CPU.
    assert found["tflite_eq"] == pytest.approx(ours, abs=0.3)
    assert found["TFLite's default"] == pytest.approx(default, abs=0.1)
    times = re.search(r"(\d\.\d) times\s+less\s+noise", README)
    assert times is not None
    assert float(times[1]) == pytest.approx(10 ** ((ours - default) / 10), abs=0.05)


def test_what_it_leaves_is_what_the_other_commands_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits.write(tmp_path)
    samples = np.load(tmp_path / digits.SAMPLES)
    assert samples.shape == (200, 8, 8, 1)
    assert samples.dtype == np.float32
    assert (samples.min(), samples.max()) == (0, 1)
    assert run("check", tmp_path / digits.MODEL) == 0
    assert ", 8, 8, 1]" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run("demo", "--output_dir", tmp_path / "file" / "folder") == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: --output_dir {tmp_path}/file/folder: Not a directory;")


def test_images_are_part_of_the_demos_split() -> None:
    pytest.importorskip("sklearn", reason="the demo's data come with scikit-learn")
    from demo.digits import load

    split, bundled = load(), digits.load()
    np.testing.assert_array_equal(bundled.samples * 255, split.train_images[:200])
    np.testing.assert_array_equal(bundled.validation_samples * 255, split.validation_images)
    np.testing.assert_array_equal(bundled.validation_labels, split.validation_labels)
