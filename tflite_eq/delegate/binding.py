"""The compiled module ``_kernels``, or what to do about its absence."""

from __future__ import annotations

from tflite_eq.delegate.library import HOW_TO_BUILD
from tflite_eq.errors import BackendError

try:
    from tflite_eq.delegate import _kernels as kernels
except ImportError as error:
    raise BackendError(
        f"this needs the delegate's Python module, which cannot be loaded ({error}): {HOW_TO_BUILD}"
    ) from error

__all__ = ["kernels"]
