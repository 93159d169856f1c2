"""Bytes of a ``.tflite`` file to the flatbuffer schema's object API and back.

The schema classes are generated code that both TensorFlow and LiteRT ship; whichever is
installed serves. LiteRT is tried first because importing it takes milliseconds.
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys
from types import ModuleType
from typing import Any

import flatbuffers
import numpy as np

from tflite_eq.errors import BackendError, ModelError
from tflite_eq.file_formats import formats
from tflite_eq.graph.layout import LayoutError, check_layout

FILE_IDENTIFIER = b"TFL3"
_SCHEMA_MODULES = (
    "ai_edge_litert.schema_py_generated",
    "tensorflow.lite.python.schema_py_generated",
)

# Offsets of buffers up to this one mean that the values are in the flatbuffer.
_NO_OFFSET = 1

# The largest number in an operator code's byte field; it stands for all codes from there on.
LAST_DEPRECATED_CODE = 127

# The object API is generated without type information.
ModelT = Any
SubGraphT = Any
TensorT = Any
OperatorT = Any


@functools.lru_cache(maxsize=1)
def schema() -> ModuleType:
    """The generated schema module of the first installed package that has one.

    Raises:
        BackendError: Neither LiteRT nor TensorFlow is installed.
    """
    for name in _SCHEMA_MODULES:
        module = _imported(name)
        if module is not None:
            return module
    raise BackendError(
        "reading .tflite files needs the TFLite schema, which comes with LiteRT or TensorFlow: "
        "pip install ai-edge-litert (or tensorflow)"
    )


def _imported(name: str) -> ModuleType | None:
    """A generated module, without the package it lies in: TensorFlow's takes seconds to import.

    It has its own name, so that who imports the package later has the same classes.
    """
    if name in sys.modules:
        return sys.modules[name]
    package, *inside = name.split(".")
    try:
        found = importlib.util.find_spec(package)
    except ValueError:  # a package that is blocked
        return None
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = pathlib.Path(folder, *inside).with_suffix(".py")
        spec = importlib.util.spec_from_file_location(name, path)
        if not path.is_file() or spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    return None


def parse(data: bytes, origin: str = "model") -> ModelT:
    """Unpack a flatbuffer into the object API, every table and vector included.

    Args:
        data: Content of a ``.tflite`` file.
        origin: What to call the model in error messages, usually its path.

    Raises:
        ModelError: The data are no bytes, no TFLite flatbuffer, or cut off.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ModelError(
            f"{origin}: expected the content of a .tflite file as bytes, found a "
            f"{type(data).__name__}; read the file first, e.g. pathlib.Path(path).read_bytes()"
        )
    if not data:
        raise ModelError(f"{origin}: the file is empty; write or download it again")
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        found = formats.recognized(bytes(data), origin)
        if found is not None:
            raise ModelError(f"{origin}: not a TFLite flatbuffer but {found.what}; {found.remedy}")
        raise ModelError(
            f"{origin}: not a TFLite flatbuffer (expected the identifier 'TFL3' at byte 4, "
            f"found {bytes(data[4:8])!r}); pass a .tflite file, a .keras/.h5 file or a "
            "SavedModel directory"
        )
    generated = schema()
    try:
        check_layout(data)
    except LayoutError as error:
        raise ModelError(
            f"{origin}: the flatbuffer is truncated or corrupt ({error}); "
            "write or download the file again"
        ) from error
    try:
        model = generated.ModelT.InitFromObj(generated.Model.GetRootAs(data, 0))
        truncated = not model.subgraphs or not model.buffers
    except MemoryError:
        raise
    except Exception as error:  # the reader indexes blindly: any type may surface
        raise ModelError(
            f"{origin}: the flatbuffer is truncated or corrupt ({type(error).__name__}: {error}); "
            "write or download the file again"
        ) from error
    _take_in_buffers(model, data, origin)
    if truncated:
        raise ModelError(f"{origin}: the flatbuffer holds no graph; write or download it again")
    return model


def _take_in_buffers(model: ModelT, data: bytes, origin: str) -> None:
    """Move constants that lie behind the flatbuffer into it, in place.

    Files beyond the 2 GiB that a flatbuffer can address have them there, and so does whatever
    LiteRT Quantizer writes. Their position in the file is lost as soon as anything is edited.

    Raises:
        ModelError: A buffer does not lie inside the file.
    """
    for index, buffer in enumerate(model.buffers or []):
        start, size = buffer.offset, buffer.size
        if start <= _NO_OFFSET:
            continue
        if start + size > len(data):
            raise ModelError(
                f"{origin}: the file ends at byte {len(data)}, but its buffer {index} at byte "
                f"{start + size}: it is cut off; write or download the file again"
            )
        buffer.data = np.frombuffer(data, np.uint8, size, start)
        buffer.offset = buffer.size = 0


def serialize(model: ModelT) -> bytes:
    """Pack the object API into the bytes of a ``.tflite`` file."""
    # Large enough from the start: a builder that is full copies all into one of twice the size.
    constants = sum(len(buffer.data) for buffer in model.buffers or () if buffer.data is not None)
    builder = flatbuffers.Builder(constants + constants // 8 + (1 << 16))
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    # ``Output`` would copy them once more.
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


@functools.lru_cache(maxsize=1)
def operator_names() -> dict[int, str]:
    """Names of the builtin operators by code, e.g. ``{3: 'CONV_2D', ...}``."""
    return _names(schema().BuiltinOperator)


@functools.lru_cache(maxsize=1)
def tensor_type_names() -> dict[int, str]:
    """Names of the element types by code, e.g. ``{0: 'FLOAT32', ...}``."""
    return _names(schema().TensorType)


@functools.lru_cache(maxsize=1)
def activation_names() -> dict[int, str]:
    """Names of the fused activation functions by code, e.g. ``{1: 'RELU', ...}``."""
    return _names(schema().ActivationFunctionType)


def builtin_code(code: Any) -> int:
    """The builtin operator that an operator code stands for.

    Files from before 2020 have it in the byte field ``deprecatedBuiltinCode`` alone, later ones in
    both; beyond 126 the byte field only says to look at the other. So the larger of both counts.
    """
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def operator_kind(code: Any) -> str:
    """Name of an operator code: the builtin name, or ``CUSTOM:name`` for a custom operator."""
    name = operator_names()[builtin_code(code)]
    if name == "CUSTOM":
        return f"CUSTOM:{(code.customCode or b'').decode()}"
    return name
