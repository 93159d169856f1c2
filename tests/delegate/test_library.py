"""Finding and loading the library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tflite_eq import delegate
from tflite_eq.delegate import library as loading
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.runtimes import available_runtimes
from tflite_eq.version import __version__

RUNTIMES = available_runtimes()


def test_options_are_handed_on_as_the_library_spells_them() -> None:
    assert delegate.load(num_threads=2, verify=True, kernel="direct", profile="false") is not None


def test_refusals_are_the_librarys_own_words() -> None:
    with pytest.raises(ConfigError, match='unknown option "threads"; there are num_threads, ker'):
        delegate.load(threads=2)
    with pytest.raises(ConfigError, match='option isa: "sse2" is none of auto, scalar'):
        delegate.load(isa="sse2")


def test_runtime_by_name_and_unknown_runtime() -> None:
    assert delegate.load(RUNTIMES[0].name) is not None
    with pytest.raises(BackendError, match="'tflite' is not installed; installed: "):
        delegate.load("tflite")


def test_environment_variable_names_the_library(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copy(library, tmp_path / "elsewhere.so"))
    monkeypatch.setenv(loading.VARIABLE, str(copy))
    assert delegate.find() == copy
    assert delegate.load() is not None
    monkeypatch.setenv(loading.VARIABLE, str(tmp_path / "none.so"))
    with pytest.raises(BackendError, match="no such file"):
        delegate.find()


def test_absent_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(loading.VARIABLE, raising=False)
    monkeypatch.setattr(loading, "checkout_outputs", lambda: [])
    monkeypatch.setattr(loading, "NAME", "libabsent.so")
    with pytest.raises(BackendError, match=r"no libabsent\.so: run 'make build-delegate'"):
        delegate.load()


def test_library_of_another_version(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = library.read_bytes()
    assert data.count(__version__.encode() + b"\0") == 1
    other = tmp_path / "other.so"
    other.write_bytes(data.replace(__version__.encode() + b"\0", b"9.8.7\0"))
    monkeypatch.setenv(loading.VARIABLE, str(other))
    with pytest.raises(BackendError, match=f"is version 9.8.7, but this package is {__version__}"):
        delegate.load()


def test_files_that_are_no_delegate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.so"
    text.write_text("not a library")
    monkeypatch.setenv(loading.VARIABLE, str(text))
    with pytest.raises(BackendError, match="cannot be loaded"):
        delegate.load()
    other = tmp_path / "other.so"
    source = tmp_path / "other.c"
    source.write_text("int nothing;")
    compiler = shutil.which("cc") or shutil.which("clang-19")
    if compiler is None:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-shared", "-o", other, source], check=True)
    monkeypatch.setenv(loading.VARIABLE, str(other))
    with pytest.raises(BackendError, match="is not the tflite_eq library"):
        delegate.load()
