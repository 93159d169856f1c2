from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tflite_eq import files
from tflite_eq.errors import TfliteEqError
from tflite_eq.files import (
    check_writable,
    exists,
    is_file,
    is_folder,
    write_all_atomically,
    write_atomically,
)


def test_what_is_at_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = {
        name: (exists(tmp_path / name), is_file(tmp_path / name), is_folder(tmp_path / name))
        for name in ("file", ".", "absent", "file/below", "a\0b")
    }
    assert found["file"] == (True, True, False)
    assert found["."] == (True, False, True)
    assert set(found.values()) == {found["file"], found["."], (False, False, False)}


def test_a_path_that_the_system_says_nothing_about_is_named(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    for path in (tmp_path / "ring", tmp_path / ("a" * 300)):
        for look in (exists, is_file, is_folder):
            with pytest.raises(TfliteEqError, match=f"{path}: cannot be looked at: "):
                look(path)


def test_writes_the_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "out.bin", b"\x00new")
    assert (tmp_path / "out.bin").read_bytes() == b"\x00new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


def test_replaces_an_existing_file_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"a much longer old content")
    target.chmod(0o640)
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_new_file_honours_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out.bin", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.bin").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to("real.bin")
    write_atomically(tmp_path / "link.bin", b"new")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


def test_several_files_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")
    with pytest.raises(TfliteEqError, match="does not exist"):
        write_all_atomically({first: b"new", tmp_path / "missing" / "c": b"new"})
    assert first.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    write_all_atomically({first: b"new", second: b"other"})
    assert (first.read_bytes(), second.read_bytes()) == (b"new", b"other")


def test_a_failure_half_way_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(TfliteEqError, match=r"out\.bin: No space left on device"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing/out.bin", "does not exist; create it first"),
        ("file/out.bin", "is a file, not a folder"),
        (".", "it is a folder"),
    ],
)
def test_bad_targets_are_named(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    for refuse in (check_writable, lambda target: write_atomically(target, b"x")):
        with pytest.raises(TfliteEqError, match=message):
            refuse(tmp_path / path)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(TfliteEqError, match="path is empty"):
        write_atomically("", b"x")
    with pytest.raises(TfliteEqError, match="path is empty"):
        check_writable("")


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "old.bin").write_bytes(b"old")
    check_writable(tmp_path / "old.bin")
    check_writable(tmp_path / "new.bin")
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.bin"]
    assert (tmp_path / "old.bin").read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TfliteEqError, match="Permission denied"):
        write_atomically(tmp_path / "out.bin", b"x")
