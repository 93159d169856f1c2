"""The delegate from Python: the library that runs quantized networks faster, code for code.

``load`` is for interpreters, ``accelerator_dir`` for LiteRT 2's ``CompiledModel``.
"""

from __future__ import annotations

from tflite_eq.delegate.accelerator import accelerator_dir
from tflite_eq.delegate.library import find, load

__all__ = ["accelerator_dir", "find", "load"]


def __dir__() -> list[str]:
    """The public names, for interactive use."""
    return sorted(__all__)
