"""What a folder is that is no SavedModel."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from tflite_eq.file_formats import formats
from tflite_eq.file_formats.formats import ForeignFormat
from tflite_eq.files import exists

_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
_MODEL_FILES = (".tflite", ".keras", ".h5", ".hdf5")
_SHOWN = 3


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds the graph of a SavedModel."""
    return any(exists(folder / name) for name in _SAVED_MODEL)


def recognized(folder: Path) -> ForeignFormat:
    """What is in a folder that is no SavedModel.

    Raises:
        OSError: It cannot be listed.
    """
    names = sorted(path.name for path in folder.iterdir())
    below = [
        path
        for pattern in ("*/saved_model.pb", "*/*/saved_model.pb")
        for path in sorted(folder.glob(pattern))
    ]
    if below:
        shown = _listed(str(path.parent) for path in below)
        return ForeignFormat(f"it holds {len(below)} of them: {shown}", f"pass {below[0].parent}")
    if {"config.json", "metadata.json", "model.weights.h5"} <= set(names):
        packed = shlex.quote(f"{folder.name}.keras")
        return ForeignFormat(
            "it is an unpacked .keras archive",
            f"pack it and pass that: (cd {shlex.quote(str(folder))} && zip -0 -r ../{packed} .)",
        )
    if "model.json" in names:
        path = folder / "model.json"
        found = formats.recognized(path.read_bytes(), str(path))
        if found is not None:
            return ForeignFormat(f"it holds {found.what}", found.remedy)
    if "Manifest.json" in names and "Data" in names:
        return ForeignFormat("it is a Core ML package", "convert the network it was made from")
    if any(name.endswith((".safetensors", ".bin")) for name in names) and "config.json" in names:
        return ForeignFormat(
            "it holds a Hugging Face model",
            "export it as a SavedModel or a float .tflite: pip install optimum, then optimum-cli "
            "export tflite",
        )
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        return ForeignFormat(
            "it holds a TensorFlow checkpoint: weights and no network",
            "build the network in Python, restore it and export a SavedModel: model.export(folder)",
        )
    models = [name for name in names if name.endswith(_MODEL_FILES)]
    if models:
        shown = _listed(str(folder / name) for name in models)
        return ForeignFormat(f"it holds {shown}", "pass the file itself")
    if not names:
        return ForeignFormat("it is empty", "write or download the model again")
    return ForeignFormat(
        f"it holds {_listed(names)}",
        "pass the SavedModel directory itself, a .keras/.h5 file or a .tflite file",
    )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:_SHOWN]) + (", ..." if len(every) > _SHOWN else "")
