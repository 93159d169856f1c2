"""The network that comes with the package, and images for it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.files import PathLike, write_all_atomically

_FOLDER = Path(__file__).parent
_MODEL = _FOLDER / "digits.tflite"
_IMAGES = _FOLDER / "digits.npz"

# What ``write`` calls them.
MODEL = "net_float.tflite"
SAMPLES = "samples.npy"
VALIDATION = "validation.npz"


@dataclasses.dataclass(frozen=True)
class Digits:
    """A float network and what it takes.

    Attributes:
        model: The float ``.tflite``: [N, 8, 8, 1] to ten logits.
        samples: float32 [200, 8, 8, 1], 0..1; images that the network was trained with.
        validation_samples: float32 [719, 8, 8, 1]; images that it has not seen.
        validation_labels: int64 [719], 0..9.
    """

    model: bytes
    samples: npt.NDArray[np.float32]
    validation_samples: npt.NDArray[np.float32]
    validation_labels: npt.NDArray[np.int64]


def load() -> Digits:
    """The network and its images."""
    with np.load(_IMAGES) as stored:
        samples, validation = (_inputs(stored[name]) for name in ("training", "validation"))
        labels = stored["labels"].astype(np.int64)
    return Digits(_MODEL.read_bytes(), samples, validation, labels)


def _inputs(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def write(folder: PathLike) -> Digits:
    """Put the network and its images into a folder, by the names above.

    ``samples.npy`` holds one array, ``validation.npz`` two, ``samples`` and ``labels``.

    Raises:
        TfliteEqError: The folder cannot be written to.
    """
    digits, target = load(), Path(folder)
    validation = {"samples": digits.validation_samples, "labels": digits.validation_labels}
    files = {
        MODEL: digits.model,
        SAMPLES: _stored(np.save, digits.samples),
        VALIDATION: _stored(np.savez_compressed, **validation),
    }
    write_all_atomically({target / name: content for name, content in files.items()})
    return digits


def _stored(save: Callable[..., None], *arrays: Any, **named: Any) -> bytes:
    held = io.BytesIO()
    save(held, *arrays, **named)
    return held.getvalue()
