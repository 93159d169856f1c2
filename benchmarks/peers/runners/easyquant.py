"""tflite_eq: what ``tflite-eq quantize`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MODULES = ("tflite_eq", "tensorflow")


def quantize(model: Path, samples: Sequence[npt.NDArray[np.float32]], **options: Any) -> bytes:
    """The int8 ``.tflite`` of a Keras model.

    Args:
        model: The Keras model.
        samples: Inputs to calibrate on.
        **options: The preset, and fields of ``Config`` that take precedence.
    """
    import tflite_eq
    from tflite_eq.cli.models import load_float_model

    config = tflite_eq.preset_config(**options)
    return tflite_eq.quantize(load_float_model(str(model)), [[x] for x in samples], config).model


def versions() -> dict[str, str]:
    """The package's, and of the TensorFlow that writes the file."""
    import tensorflow as tf

    import tflite_eq

    return {"tflite_eq": tflite_eq.__version__, "TensorFlow": tf.__version__}
