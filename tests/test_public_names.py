"""The package's public names: what ``dir`` shows, and what they take and give."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tflite_eq
from tests import models, running
from tests.guard import networks
from tflite_eq.progress import LOGGER, note


def test_dir_shows_public_names_only() -> None:
    # In a process of its own: tests import everything.
    code = "import tflite_eq; tflite_eq.quantize; print(*dir(tflite_eq), sep='\\n')"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert found.split() == sorted([*tflite_eq.__all__, "delegate"])
    for name in found.split():
        __import__("tflite_eq.delegate")
        assert getattr(tflite_eq, name).__doc__


def test_dir_of_the_delegate_shows_public_names_only() -> None:
    import tflite_eq.delegate

    assert dir(tflite_eq.delegate) == sorted(tflite_eq.delegate.__all__)


def test_a_path_does_as_well_as_content(tmp_path: Path) -> None:
    float_model = models.keras_net()
    path = tmp_path / "net.tflite"
    path.write_bytes(float_model)
    data = models.data("keras_net")
    config = tflite_eq.preset_config("fast")
    record = tflite_eq.calibrate(path, data, config)
    from_path = tflite_eq.quantize(str(path), record)
    assert from_path.model == tflite_eq.quantize(float_model, record).model
    with pytest.raises(tflite_eq.TfliteEqError, match=r"none\.tflite: no such file"):
        tflite_eq.quantize(tmp_path / "none.tflite", record)


def test_a_report_prints_as_its_table_and_shows_as_its_page() -> None:
    report = running.quantized("keras_net").report
    lines = str(report).splitlines()
    assert lines[0].split()[:2] == ["layer", "kind"]
    assert len(lines) == 1 + len(report.layers)
    page = report._repr_html_()
    assert page.startswith("<iframe srcdoc=")
    assert "&lt;title&gt;" in page


def test_evaluate_counts_right_classes() -> None:
    float_model, samples = networks.planted(), networks.arrays(12, seed=3)
    classes = [int(running.run(float_model, [x])[0].argmax()) for x in np.split(samples, 12)]
    classes[4] = (classes[4] + 1) % 2
    validation = tflite_eq.Validation.from_arrays(samples, classes)
    found = tflite_eq.evaluate({"itself": float_model}, validation, reference=float_model)
    assert [model.name for model in found.models] == ["reference", "itself"]
    assert found.models[1].metrics.top1.value == pytest.approx(100 * 11 / 12)


def test_evaluate_refuses_samples_without_labels() -> None:
    validation = tflite_eq.Validation.from_arrays(networks.arrays(12, seed=3))
    with pytest.raises(tflite_eq.TfliteEqError, match="without labels"):
        tflite_eq.evaluate({"net": networks.planted()}, validation)


def test_notes_are_log_records(capsys: pytest.CaptureFixture[str]) -> None:
    note("note: a sentence")
    assert capsys.readouterr().err == "note: a sentence\n"
    logger = logging.getLogger(LOGGER)
    before, taken = logger.handlers[:], io.StringIO()
    logger.handlers[:] = [logging.StreamHandler(taken)]
    try:
        note("warning: another")
    finally:
        logger.handlers[:] = before
    assert taken.getvalue() == "warning: another\n"
    assert capsys.readouterr().err == ""


def test_a_level_silences_notes(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.WARNING)
    try:
        note("note: a sentence")
        note("warning: another")
    finally:
        logger.setLevel(logging.INFO)
    assert capsys.readouterr().err == "warning: another\n"
