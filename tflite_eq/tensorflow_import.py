"""TensorFlow where it is needed: reading Keras models and SavedModels, fine-tuning biases."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from tflite_eq.errors import BackendError
from tflite_eq.quiet import quiet


def import_tensorflow(wanted_for: str, otherwise: str) -> Any:
    """The ``tensorflow`` module, imported with its start-up chatter off.

    Args:
        wanted_for: What cannot do without, for the message.
        otherwise: What to do instead.

    Raises:
        BackendError: TensorFlow is not installed.
    """
    check_tensorflow(wanted_for, otherwise)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet():
        return importlib.import_module("tensorflow")


def check_tensorflow(wanted_for: str, otherwise: str) -> None:
    """Refuse to do without TensorFlow, which takes seconds to import, before it is needed.

    Raises:
        BackendError: It is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise BackendError(
            f"{wanted_for} needs TensorFlow, which is not installed: "
            f"pip install 'tflite-eq[tensorflow]', or {otherwise}"
        )
