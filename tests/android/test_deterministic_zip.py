"""The archive that Bazel makes the AAR and its jar with."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.android.conftest import REPOSITORY

SCRIPT = REPOSITORY / "bazel/deterministic_zip.py"


def make(output: Path, *arguments: str) -> bytes:
    """The archive's bytes."""
    subprocess.run([sys.executable, SCRIPT, output, *arguments], check=True)
    return output.read_bytes()


def test_bytes_depend_on_names_and_contents_alone(tmp_path: Path) -> None:
    made = []
    for number, order in enumerate(["ab", "ba"]):
        tree = tmp_path / f"tree{number}"
        (tree / "folder").mkdir(parents=True)
        for name in order:
            (tree / "folder" / name).write_text(name * 100)
            os.utime(tree / "folder" / name, (number * 1e8, number * 1e8))
            (tree / "folder" / name).chmod(0o600 + number)
        made.append(make(tmp_path / f"{number}.zip", "--tree", str(tree)))
    assert made[0] == made[1]


def test_entries_in_the_order_given(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"contents")
    make(tmp_path / "x.zip", f"b={file}", "empty=", f"a/c={file}")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["b", "empty", "a/c"]
        assert [archive.read(name) for name in archive.namelist()] == [
            b"contents",
            b"",
            b"contents",
        ]
        assert archive.testzip() is None
