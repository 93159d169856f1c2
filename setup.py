"""Wheels: with the delegate's libraries where they can be built, the quantizer alone elsewhere.

TFLITE_EQ_BUILD_DELEGATE=0 leaves the libraries out, =1 has Bazel build them for this machine and
fails where it cannot, =arm64 builds them for 64-bit ARM Linux; unset, they are built where there is
Bazel. The libraries know nothing of Python, so that one wheel for each architecture serves all.
"""

import atexit
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

# What Bazel builds, by where it lies in the package: the accelerator's folder is given to LiteRT.
LIBRARIES = {
    "libtflite_eq_delegate.so": "delegate/libtflite_eq_delegate.so",
    "libtflite_eq_kernels.so": "delegate/python/libtflite_eq_kernels.so",
    "litert/libLiteRtGpuAccelerator.so": "delegate/litert/libLiteRtGpuAccelerator.so",
}
# The oldest that a wheel may claim: 64-bit ARM begins with it.
OLDEST_GLIBC = (2, 17)


def wanted() -> str:
    """The architecture to build the libraries for, empty for none."""
    choice = os.environ.get("TFLITE_EQ_BUILD_DELEGATE")
    if choice is None:
        choice = "1" if shutil.which("bazel") is not None else "0"
    if choice not in ("0", "1", "arm64"):
        raise SystemExit(f"error: TFLITE_EQ_BUILD_DELEGATE={choice}: neither 0 nor 1 nor arm64")
    return {"0": "", "1": platform.machine(), "arm64": "aarch64"}[choice]


MACHINE = wanted()


def build() -> dict[str, pathlib.Path]:
    """Have Bazel build the libraries; by their places in the package."""
    flags = ["--config=arm64"] if platform.machine() != MACHINE else []
    targets = [f"//{file.replace('/lib', ':lib')}" for file in LIBRARIES.values()]
    subprocess.run(["bazel", "build", *flags, *targets], check=True)
    outputs = subprocess.run(
        ["bazel", "info", *flags, "bazel-bin"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return {place: pathlib.Path(outputs.strip()) / file for place, file in LIBRARIES.items()}


def glibc_needed(library: pathlib.Path) -> tuple[int, int]:
    """The oldest C library that has every symbol a library takes from it."""
    told = subprocess.run(
        ["readelf", "--wide", "--version-info", str(library)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    found = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", told)
    return max((int(major), int(minor)) for major, minor in found)


class BuildWithLibraries(build_py):
    """Puts the libraries beside the module that finds them."""

    def run(self) -> None:
        """Build; a checkout that is installed as it is has them elsewhere."""
        super().run()
        if not MACHINE or self.editable_mode:
            return
        folder = pathlib.Path(self.build_lib) / "tflite_eq" / "delegate"
        for place, library in build().items():
            (folder / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(library, folder / place)  # Bazel's own file is read-only


class Wheel(bdist_wheel):
    """Named after what its libraries need, and no Python in particular."""

    def get_tag(self) -> tuple[str, str, str]:
        """Tags of Python, binary interface and platform."""
        if not MACHINE:
            return "py3", "none", "any"
        libraries = pathlib.Path(self.bdist_dir).rglob("lib*.so")
        major, minor = max([OLDEST_GLIBC, *map(glibc_needed, libraries)])
        names = [f"manylinux_{major}_{minor}_{MACHINE}"]
        if (major, minor) == OLDEST_GLIBC:
            names.append(f"manylinux2014_{MACHINE}")  # what older pips call it
        return "py3", "none", ".".join(names)


class WithLibraries(Distribution):
    """Whether the wheel has files for one architecture."""

    def has_ext_modules(self) -> bool:
        """It has if libraries are wanted."""
        return bool(MACHINE)


# Not below the checkout's build/, where files that the tree no longer has would linger.
scratch = tempfile.mkdtemp(prefix="tflite_eq-build-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)

setup(
    distclass=WithLibraries,
    cmdclass={"build_py": BuildWithLibraries, "bdist_wheel": Wheel},
    options={"build": {"build_base": scratch}},
)
