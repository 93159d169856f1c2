"""The classes generated from TFLite's flatbuffer schema, from whichever package has them.

The file is loaded by its path: importing it by name would load the package around it, and with it a
second runtime into the process.
"""

from __future__ import annotations

import importlib.util
import pathlib
from types import ModuleType

_FILES = (
    ("ai_edge_litert", "schema_py_generated.py"),
    ("tensorflow", "lite/python/schema_py_generated.py"),
)


def _load() -> ModuleType:
    for package, file in _FILES:
        found = importlib.util.find_spec(package)
        for folder in (found and found.submodule_search_locations) or ():
            path = pathlib.Path(folder, file)
            if path.is_file():
                spec = importlib.util.spec_from_file_location("tflite_schema_generated", path)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    raise ImportError("neither ai-edge-litert nor TensorFlow is installed: no schema of .tflite")


schema = _load()
