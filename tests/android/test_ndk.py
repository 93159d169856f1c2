"""The build for Android: what it says where there is no usable NDK, and that the stand-in for one
catches what a phone would refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from delegate.android.testing import stand_in_ndk
from tests.android.conftest import REPOSITORY

LIBRARY = "//delegate:libtflite_eq_delegate.so"

# Each of them has Bazel analyse the build anew.
needs_bazel = pytest.mark.skipif(
    os.environ.get("TFLITE_EQ_TEST_NDK") != "1" or shutil.which("bazel") is None,
    reason="asks Bazel, which make test-android does (TFLITE_EQ_TEST_NDK=1)",
)


@pytest.fixture(scope="module")
def ndk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in NDK."""
    if shutil.which(f"clang-{stand_in_ndk.LLVM}") is None or shutil.which("javac") is None:
        pytest.skip("needs clang-19 and a JDK: make test-android installs them")
    folder = tmp_path_factory.mktemp("android") / "ndk"
    stand_in_ndk.make(folder, "27.2.12479018")
    return folder


def analyse(*arguments: str, ndk: Path | None) -> subprocess.CompletedProcess[str]:
    """Has Bazel analyse the build of the library, and build nothing."""
    environment = {**os.environ}
    environment.pop("ANDROID_NDK_HOME", None)
    if ndk is not None:
        environment["ANDROID_NDK_HOME"] = str(ndk)
    return subprocess.run(
        ["bazel", "build", "--nobuild", "--symlink_prefix=/", *arguments, LIBRARY],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def refusal(ndk: Path | None) -> str:
    """What the build for Android says with an unusable NDK."""
    run = analyse("--config=android_arm64", ndk=ndk)
    assert run.returncode != 0
    (message,) = set(re.findall(r"^Error in fail: (.*)", run.stderr, re.MULTILINE))
    assert "ANDROID_NDK_HOME" in message
    assert "NDK from r25 to r28" in message
    assert "developer.android.com/ndk/downloads" in message
    return str(message)


@needs_bazel
def test_missing_ndk() -> None:
    assert "ANDROID_NDK_HOME is not set" in refusal(None)


@needs_bazel
def test_folder_that_is_no_ndk(tmp_path: Path) -> None:
    assert "has no source.properties" in refusal(tmp_path)
    assert "has no source.properties" in refusal(tmp_path / "absent")
    (tmp_path / "source.properties").write_text("Pkg.Desc = something else\n")
    assert "names no Pkg.Revision" in refusal(tmp_path)


@needs_bazel
def test_old_ndk(tmp_path: Path) -> None:
    (tmp_path / "source.properties").write_text("Pkg.Revision = 21.4.7075529\n")
    assert "is r21, too old" in refusal(tmp_path)


@needs_bazel
def test_incomplete_ndk(tmp_path: Path) -> None:
    (tmp_path / "source.properties").write_text("Pkg.Revision = 26.1.10909125\n")
    assert "has no bin/clang" in refusal(tmp_path)
    programs = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin"
    programs.mkdir(parents=True)
    (programs / "clang").touch()
    assert "llvm-ar is missing" in refusal(tmp_path)


@needs_bazel
def test_other_builds_neither_need_nor_mention_it(tmp_path: Path) -> None:
    run = analyse(ndk=tmp_path / "absent")
    assert run.returncode == 0, run.stderr
    assert "NDK" not in run.stderr


@needs_bazel
def test_newer_ndk_is_tried(ndk: Path, tmp_path: Path) -> None:
    newer = tmp_path / "ndk"
    shutil.copytree(ndk, newer, symlinks=True)
    (newer / "source.properties").write_text("Pkg.Revision = 31.0.1\n")
    run = analyse("--config=android_arm64", ndk=newer)
    assert run.returncode == 0, run.stderr
    assert "is r31; r25 to r28 are known" in run.stderr


def link(ndk: Path, folder: Path, code: str, *flags: Any) -> subprocess.CompletedProcess[str]:
    """Compiles ``code`` to a shared library for Android."""
    source = folder / "code.c"
    source.write_text(code)
    clang = ndk / "toolchains/llvm/prebuilt/linux-x86_64/bin/clang"
    command = [clang, f"--target={stand_in_ndk.TARGET}", "-fPIC", "-shared", "-Wl,-z,defs"]
    return subprocess.run(
        [*command, *flags, source, "-o", folder / "code.so"], capture_output=True, text=True
    )


def test_stand_in_links_what_android_5_exports(ndk: Path, tmp_path: Path) -> None:
    code = "#include <stdlib.h>\nvoid* f(void) { return malloc(3); }\n"
    run = link(ndk, tmp_path, code)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("symbol", ["stderr", "fmemopen", "__addtf3", "_Znwm"])
def test_stand_in_refuses_what_android_5_lacks(ndk: Path, tmp_path: Path, symbol: str) -> None:
    code = f"extern int {symbol}(void);\nint f(void) {{ return {symbol}(); }}\n"
    run = link(ndk, tmp_path, code, "-Wl,--no-demangle")
    assert run.returncode != 0
    assert f"undefined symbol: {symbol}" in run.stderr


def test_stand_in_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(SystemExit, match="exists and is no NDK"):
        stand_in_ndk.make(tmp_path, "27.0")
    assert (tmp_path / "mine").exists()
