"""Builds the delegate with Bazel where there is one; without it the package is the converter alone.

Everything else is in pyproject.toml. TFLITE_EQ_BUILD_DELEGATE=0 leaves the delegate out, =1 fails
where there is no Bazel.
"""

import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

LIBRARY = "libtflite_eq_delegate.so"
ACCELERATOR = "litert/libLiteRtGpuAccelerator.so"
BINDING = "tflite_eq.delegate._kernels"


class BazelBuild(build_ext):
    """Has Bazel build the library and the Python module, and puts them into the package."""

    def build_extension(self, extension: Extension) -> None:
        """Build both; there is one extension."""
        # Apart from what a checkout works with: that may be for another Python.
        flags = ["--platform_suffix=wheel", f"--repo_env=TFLITE_EQ_PYTHON={sys.executable}"]
        try:
            import pybind11
        except ImportError:
            pass  # Debian's
        else:
            flags.append(f"--repo_env=PYBIND11_INCLUDE={pybind11.get_include()}")
        targets = [
            f"//delegate:{LIBRARY}",
            "//delegate/python:_kernels.so",
            f"//delegate/{ACCELERATOR.replace('/', ':')}",
        ]
        subprocess.run(["bazel", "build", "--symlink_prefix=/", *flags, *targets], check=True)
        outputs = subprocess.run(
            ["bazel", "info", *flags, "bazel-bin"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        built = pathlib.Path(outputs.strip()) / "delegate"
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        for source, destination in (
            (built / "python" / "_kernels.so", target),
            (built / LIBRARY, target.with_name(LIBRARY)),
            (built / ACCELERATOR, target.parent / ACCELERATOR),
        ):
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.unlink(missing_ok=True)
            shutil.copyfile(source, destination)  # Bazel's own file is read-only


def wanted() -> bool:
    """Whether to build the delegate."""
    choice = os.environ.get("TFLITE_EQ_BUILD_DELEGATE")
    if choice is None:
        return shutil.which("bazel") is not None
    return choice != "0"


setup(
    ext_modules=[Extension(BINDING, sources=[])] if wanted() else [],
    cmdclass={"build_ext": BazelBuild},
)
