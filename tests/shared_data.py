"""Where the trained models and the ImageNet and CIFAR images are, for tests that need them.

They are too large for the repository and not ours to hand on. ``TFLITE_EQ_DATA`` names
their folder; without it ``../shared/data`` beside the repository is tried.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


def folder() -> Path | None:
    """The data folder, or None when there is none."""
    named = os.environ.get("TFLITE_EQ_DATA")
    candidate = Path(named) if named else _REPOSITORY.parent / "shared" / "data"
    return candidate if (candidate / "models.json").is_file() else None


needs_shared_data = pytest.mark.skipif(
    folder() is None,
    reason="needs the trained models and images: set TFLITE_EQ_DATA to their folder",
)


def path(relative: str) -> Path:
    """A file or folder of the shared data; skips the running test when it is not there."""
    root = folder()
    if root is None or not (root / relative).exists():
        pytest.skip(f"shared data: {relative} is absent; set TFLITE_EQ_DATA to its folder")
    return root / relative


@functools.lru_cache(maxsize=1)
def models() -> dict[str, dict[str, Any]]:
    """What ``models.json`` says about each model: file, size, mean, std, classes."""
    described = json.loads(path("models.json").read_text())
    return {name: entry for name, entry in described.items() if not name.startswith("_")}
