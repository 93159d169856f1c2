"""The compiled module ``_kernels``, or what to do about its absence."""

from __future__ import annotations

from tflite_eq.delegate.library import HOW_TO_BUILD
from tflite_eq.errors import BackendError
from tflite_eq.version import __version__

try:
    from tflite_eq.delegate import _kernels as kernels
except ImportError as error:
    raise BackendError(
        f"this needs the delegate's Python module, which cannot be loaded ({error}): {HOW_TO_BUILD}"
    ) from error

if getattr(kernels, "__version__", "unknown") != __version__:
    raise BackendError(
        f"{kernels.__file__}: is of another version than this package, {__version__}; build both "
        f"from the same sources: {HOW_TO_BUILD}"
    )

__all__ = ["kernels"]
