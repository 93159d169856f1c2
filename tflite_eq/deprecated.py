"""Options of earlier versions that are going away."""

from __future__ import annotations

import warnings

from tflite_eq.arguments import described
from tflite_eq.errors import ConfigError

# What used to lay out the int8 graph, before this package did.
BACKENDS = ("auto", "tensorflow", "litert")

BACKEND_NOTE = (
    "backend: ignored, and gone in the next version; the int8 model is written without "
    "TensorFlow's quantizer or LiteRT Quantizer now. Leave the option out"
)


PAPER_PRESET_NOTE = (
    "preset 'paper': goes with the next version; it is no more than close to the EasyQuant paper. "
    "The paper's own algorithm is the method 'easyquant-paper'"
)


def warn_of_paper_preset(is_chosen: bool) -> None:
    """Say what to choose in place of the preset, if it was."""
    if is_chosen:
        warnings.warn(PAPER_PRESET_NOTE, DeprecationWarning, stacklevel=4)


def warn_of_backend(backend: str | None) -> None:
    """Say that the choice of a backend has no effect, if one was made.

    Raises:
        ConfigError: There never was a backend of that name.
    """
    if backend is None:
        return
    if not isinstance(backend, str) or backend not in BACKENDS:
        allowed = ", ".join(repr(name) for name in BACKENDS)
        raise ConfigError(
            f"backend: {described(backend)} is not one of {allowed}; leave the option out"
        )
    warnings.warn(BACKEND_NOTE, DeprecationWarning, stacklevel=3)
