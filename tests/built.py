"""What Bazel has built, for tests that need it."""

from __future__ import annotations

from types import ModuleType

import pytest

from tflite_eq.errors import BackendError


def kernels() -> ModuleType:
    """The module ``tflite_eq.delegate.kernels``; skips the test where its library is not built."""
    try:
        from tflite_eq.delegate import binding
    except BackendError as error:
        pytest.skip(str(error))
    return binding.kernels
