"""The delegate from Python: the library that runs quantized networks faster, code for code.

delegate = tflite_eq.delegate.load(num_threads=2)
interpreter = Interpreter(model_path="q.tflite", experimental_delegates=[delegate])

and of LiteRT 2's CompiledModel:

environment = Environment.create(runtime_path=tflite_eq.delegate.accelerator_dir())
"""

from __future__ import annotations

from tflite_eq.delegate.accelerator import accelerator_dir
from tflite_eq.delegate.library import checkout_outputs, find, load

__all__ = ["accelerator_dir", "find", "load"]

# In a checkout the binding lies where Bazel put it: `from tflite_eq.delegate import _kernels` finds
# it there, before a copy that an installation left in this folder.
__path__[:0] = [str(folder / "delegate" / "python") for folder in checkout_outputs()]
