"""What ``pip install .`` installs, with Bazel and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NO_INDEX = "No matching distribution found"

USE_THE_DELEGATE = """
import pathlib, sys
import tflite_eq.delegate
from tflite_eq.delegate.binding import kernels

installed = pathlib.Path(sys.argv[1]).resolve()
for file in (tflite_eq.delegate.find(), kernels.__file__):
    assert installed in pathlib.Path(file).resolve().parents, file
assert tflite_eq.delegate.load(num_threads=2) is not None
assert kernels.cpu_supports("scalar")
print("works")
"""

MISS_THE_DELEGATE = """
import tflite_eq
import tflite_eq.delegate
from tflite_eq.errors import BackendError

assert tflite_eq.Config().bits
try:
    tflite_eq.delegate.load()
except BackendError as error:
    print(error)
try:
    from tflite_eq.delegate import binding
except BackendError as error:
    print(error)
"""


def installed(folder: Path, environment: dict[str, str]) -> tuple[Path, set[str]]:
    """The package installed in a folder of its own, and the compiled files in its wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)]
    clean = {k: v for k, v in os.environ.items() if k != "TFLITE_EQ_BUILD_DELEGATE"}
    made = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True)
    if NO_INDEX in made.stderr:
        pytest.skip("pip cannot reach a package index for what it builds with")
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
        files = {name for name in archive.namelist() if name.endswith(".so")}
    return folder / "site", files


def run(site: Path, script: str) -> str:
    """Output of a script that finds the package in ``site``, away from the checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "TFLITE_EQ_DELEGATE"}
    environment["PYTHONPATH"] = str(site)
    command = [sys.executable, "-c", script, str(site)]
    return subprocess.run(
        command, cwd=site, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@pytest.mark.skipif(shutil.which("bazel") is None, reason="needs Bazel")
def test_with_bazel_the_wheel_has_library_and_module(tmp_path: Path) -> None:
    site, files = installed(tmp_path, {"TFLITE_EQ_BUILD_DELEGATE": "1"})
    names = sorted(Path(file).name.split(".")[0] for file in files)
    assert names == ["_kernels", "libLiteRtGpuAccelerator", "libtflite_eq_delegate"]
    assert run(site, USE_THE_DELEGATE) == "works\n"


def test_without_bazel_there_is_the_converter_and_advice(tmp_path: Path) -> None:
    # Programs that pip needs, but no Bazel.
    found = [shutil.which(name) for name in ("sh", "env", "gcc", "cc", "uname")]
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in filter(None, found):
        (folder / Path(program).name).symlink_to(program)
    site, files = installed(tmp_path, {"PATH": str(folder)})
    assert files == set()
    library, module = run(site, MISS_THE_DELEGATE).splitlines()
    assert library.startswith("this installation has no delegate library: install Bazel (apt-get")
    assert "this needs the delegate's Python module" in module
    assert "install Bazel (apt-get install bazel-bootstrap clang-19" in module
