"""The module ``kernels`` with its library behind it, or what to do about the library's absence."""

from __future__ import annotations

from tflite_eq.delegate import kernels
from tflite_eq.delegate.kernels_api import functions

functions()  # raises BackendError

__all__ = ["kernels"]
