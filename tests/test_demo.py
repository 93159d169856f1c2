"""The demonstration of ``make demo``, with too little training to be any good."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the demo's data come with scikit-learn")

from demo import digits

REPOSITORY = Path(__file__).resolve().parent.parent


def test_calibration_images_are_training_images_and_no_validation_images() -> None:
    data = digits.load()
    train = {image.tobytes() for image in data.train_images}
    calibration = {image.tobytes() for image in data.calibration_images}
    assert len(calibration) == 50
    assert calibration <= train
    assert not calibration & {image.tobytes() for image in data.validation_images}
    assert len(data.train_images) + len(data.validation_images) == 1797
    assert np.bincount(data.validation_labels).min() >= 65


def test_demo_leaves_models_reports_and_a_comparison(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "demo", f"--output_dir={tmp_path}", "--epochs=2"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    for name in ("int8", "int7", "int7_auto"):
        assert (tmp_path / f"report_{name}" / "report.html").exists()
        assert f"digits_{name}.tflite" in finished.stdout
    compared = json.loads((tmp_path / "evaluation.json").read_text())["models"]
    assert [model["name"] for model in compared] == [
        "digits_float.tflite",
        "digits_tflite_default.tflite",
        "digits_int8.tflite",
        "digits_int7.tflite",
        "digits_int7_auto.tflite",
    ]
    accuracy = {model["name"]: model["top1"]["value"] for model in compared}
    assert accuracy["digits_float.tflite"] > 40
    for name in ("digits_int8.tflite", "digits_int7.tflite", "digits_int7_auto.tflite"):
        assert accuracy[name] > accuracy["digits_float.tflite"] - 3
