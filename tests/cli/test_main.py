"""Whatever goes wrong is said in one line."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from tests.cli.commands import one_line
from tflite_eq.cli.main import main
from tflite_eq.errors import TfliteEqError


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (TfliteEqError("no\nsuch model"), "no such model", 1),
        (MemoryError(), "out of memory; fewer samples", 1),
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
