"""The delegate from Python: the library that runs quantized networks faster, code for code.

delegate = tflite_eq.delegate.load(num_threads=2)
interpreter = Interpreter(model_path="q.tflite", experimental_delegates=[delegate])

and of LiteRT 2's CompiledModel:

environment = Environment.create(runtime_path=tflite_eq.delegate.accelerator_dir())
"""

from __future__ import annotations

from tflite_eq.delegate.accelerator import accelerator_dir
from tflite_eq.delegate.library import find, load

__all__ = ["accelerator_dir", "find", "load"]
