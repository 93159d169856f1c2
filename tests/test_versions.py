"""One version, wherever it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tflite_eq
from tflite_eq.cli.main import parse

ROOT = Path(__file__).resolve().parents[1]


def test_library_and_modules_have_the_version_of_the_package() -> None:
    for file, pattern in (
        ("delegate/version.h", r'kVersion\[\] = "([\d.]+)"'),
        ("MODULE.bazel", r'name = "tflite_eq",\n    version = "([\d.]+)"'),
    ):
        found = re.search(pattern, (ROOT / file).read_text())
        assert found is not None, file
        assert found[1] == tflite_eq.__version__


def test_changes_name_the_version() -> None:
    assert f"\n## {tflite_eq.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_version_names_the_runtimes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["tflite-eq", "--version"])
    assert ended.value.code == 0
    first, python, runtimes, delegate = capsys.readouterr().out.splitlines()
    assert first == f"tflite-eq {tflite_eq.__version__}"
    assert "NumPy " in python
    assert re.match(r"runtimes: .+ \d+\.\d+", runtimes)
    assert delegate.startswith("delegate: ")
