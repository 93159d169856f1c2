"""One version, wherever it is written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import tflite_eq
from tflite_eq import delegate
from tflite_eq.cli.main import parse
from tflite_eq.errors import BackendError

ROOT = Path(__file__).resolve().parents[1]


# Of these a version other than the package's own would be a mistake; documents tell of older ones.
SOURCES = {".bazel", ".bzl", ".cc", ".h", ".in", ".java", ".kts", ".py", ".sh", ".toml", ".xml", ""}


def test_the_version_is_written_down_once() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    version = re.escape(tflite_eq.__version__.encode())
    literal = re.compile(rb"""["']""" + version + rb"""["']""")
    sources = (ROOT / name for name in listed.stdout.splitlines())
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if path.suffix in SOURCES and path.is_file() and literal.search(path.read_bytes())
    }
    assert found == {"tflite_eq/version.py"}


def test_the_built_library_has_the_version_of_the_package() -> None:
    try:
        library = delegate.find()
    except BackendError as error:
        pytest.skip(str(error))
    assert b"\0" + tflite_eq.__version__.encode() + b"\0" in Path(library).read_bytes()


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
