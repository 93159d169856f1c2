"""Whatever goes wrong is said in one line."""

from __future__ import annotations

import argparse
import errno
from typing import Any

import numpy as np
import pytest

from tests.cli.commands import Workspace, one_line
from tflite_eq.cli.main import main
from tflite_eq.errors import TfliteEqError


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (TfliteEqError("no\nsuch model"), "no such model", 1),
        (MemoryError(), "out of memory; nothing was written. Less is needed by a smaller input", 1),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory", 1),
        (OSError(28, "No space left on device", "/tmp/x\ny"), "No space left on device", 1),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_errors_are_one_line(
    error: BaseException, expected: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: Any) -> int:
        raise error

    assert main(argparse.Namespace(run=run)) == code
    assert expected in one_line(capsys.readouterr().err)


def too_much(*arguments: object, **options: object) -> Any:
    """What NumPy raises for an array that is larger than any memory."""
    return np.empty((1 << 46,), np.float32)


@pytest.mark.parametrize(
    "where",
    [
        "tflite_eq.calibration.calibrate_once.run_lockstep",
        "tflite_eq.cli.quantize.load_float_model",
        "tflite_eq.data.arrays.np.asarray",
        "tflite_eq.graph.schema.check_layout",
        "tflite_eq.quantizer.build_report",
    ],
)
def test_out_of_memory_names_what_needs_less_and_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(where, too_much)
    message = workspace.refused(save_calibration=workspace.folder / "record.txt")
    assert "out of memory; nothing was written" in message
    assert "fewer samples (--num_samples 20)" in message
