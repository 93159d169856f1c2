"""What ``--version`` prints: this package, what it found beside it, and where the delegate is."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from typing import Any

from tflite_eq.version import __version__

# In the order of preference; TensorFlow's wheels come under several names.
_RUNTIMES = (
    *("ai-edge-litert", "tensorflow", "tensorflow-cpu", "tensorflow-intel"),
    *("tflite-runtime", "ai-edge-litert-nightly"),
)


class PrintVersion(argparse.Action):
    """An option that prints it and ends the program; nothing is imported for it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(nargs=0, **given)

    def __call__(self, *_: object, **__: object) -> None:
        """Print and end."""
        print(text())
        sys.exit(0)


def text() -> str:
    """One line for each thing."""
    from tflite_eq.delegate import library
    from tflite_eq.errors import BackendError

    runtimes = [f"{name} {version}" for name in _RUNTIMES if (version := _version(name))]
    try:
        delegate = str(library.find())
    except BackendError as error:
        delegate = f"none; {error}"
    return "\n".join(
        (
            f"tflite-eq {__version__}",
            f"Python {platform.python_version()}, NumPy {_version('numpy')}, {platform.platform()}",
            f"runtimes: {', '.join(runtimes) or 'none; pip install ai-edge-litert'}",
            f"delegate: {delegate}",
        )
    )


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
