"""The C functions of libtflite_eq_kernels.so (delegate/python/kernels_api.h), and structures."""

from __future__ import annotations

import ctypes
import functools
import operator
from collections.abc import Sequence
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_void_p,
)
from typing import Any

from tflite_eq.delegate import library

_REASON = 192  # bytes, as in delegate/kernels/reason.h
DONE, REFUSED, OUT_OF_MEMORY = range(3)
INT_OPTION, FLOAT_OPTION, BOOL_OPTION, INTS_OPTION, OTHER_OPTION = range(5)


class Reason(ctypes.Structure):
    """A sentence of the library."""

    _fields_ = (("text", c_char * _REASON),)

    def __str__(self) -> str:
        return bytes(self.text).decode(errors="replace")


class Cpu(ctypes.Structure):
    """``EqCpu``."""

    _fields_ = (
        ("isa", c_char_p),
        ("two_vnni_units", c_int32),
        ("peer", c_char_p),
        ("in_order", c_int32),
    )


class Plan(ctypes.Structure):
    """``EqPlan``."""

    _fields_ = (("claim", c_int32), ("kernel", c_char_p), ("isa", c_char_p), ("reason", Reason))


class Convolution(ctypes.Structure):
    """``EqConvolution``."""

    _fields_ = (
        ("filter", c_void_p),
        ("filter_shape", c_int32 * 4),
        ("bias", c_void_p),
        ("multiplier", c_void_p),
        ("shift", c_void_p),
        ("input_size", c_int32 * 3),
        ("padding", c_char_p),
        ("stride", c_int32 * 2),
        ("dilation", c_int32 * 2),
        ("input_zero_point", c_int32),
        ("output_zero_point", c_int32),
        ("activation_range", c_int32 * 2),
    )


class Tensor(ctypes.Structure):
    """``EqTensor``."""

    _fields_ = (
        ("type", c_char_p),
        ("shape", POINTER(c_int32)),
        ("rank", c_int32),
        ("scales", POINTER(c_float)),
        ("scale_count", c_int32),
        ("zero_points", POINTER(c_int32)),
        ("zero_point_count", c_int32),
        ("quantized_dimension", c_int32),
        ("data", c_char_p),
        ("bytes", c_size_t),
        ("name", c_char_p),
        ("variable", c_int32),
        ("sparse", c_int32),
    )


class Option(ctypes.Structure):
    """``EqOption``."""

    _fields_ = (
        ("name", c_char_p),
        ("type", c_int32),
        ("count", c_int32),
        ("number", c_int64),
        ("real", c_double),
        ("list", POINTER(c_int32)),
    )


class Node(ctypes.Structure):
    """``EqNode``."""

    _fields_ = (
        ("kind", c_char_p),
        ("inputs", POINTER(c_int32)),
        ("input_count", c_int32),
        ("outputs", POINTER(c_int32)),
        ("output_count", c_int32),
        ("options", POINTER(Option)),
        ("option_count", c_int32),
    )


class Decision(ctypes.Structure):
    """``EqDecision``."""

    _fields_ = (
        ("node", c_int32),
        ("kind", c_char_p),
        ("claimed", c_int32),
        ("saved_multiplications", c_double),
        ("reason", Reason),
    )


_INTS = POINTER(c_int32)
_NAMES = POINTER(c_char_p)
_WHY = POINTER(Reason)
_STATUS = c_int32

# Result and arguments of every function. Arrays of NumPy's are handed over by their addresses.
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "EqVersion": (c_char_p, ()),
    "EqKernelAt": (c_int32, (c_int32, _NAMES, _NAMES)),
    "EqCpuSupports": (_STATUS, (c_char_p, _INTS, _WHY)),
    "EqDetectCpu": (None, (POINTER(Cpu),)),
    "EqDescribeCpu": (_STATUS, (POINTER(Cpu), _WHY)),
    "EqEffectiveScale": (c_double, (c_float, c_float, c_float)),
    "EqQuantizeMultiplier": (_STATUS, (c_double, _INTS, _INTS, _WHY)),
    "EqMultiply": (_STATUS, (c_void_p, c_size_t, c_int32, c_int32, c_void_p, _WHY)),
    "EqActivationRange": (_STATUS, (c_char_p, c_float, c_int32, _INTS, _WHY)),
    "EqTileSizes": (_STATUS, (c_char_p, _INTS, _WHY)),
    "EqTransformFilter": (_STATUS, (c_char_p, c_void_p, c_void_p, _WHY)),
    "EqTransformInput": (_STATUS, (c_char_p, c_void_p, c_void_p, _WHY)),
    "EqTransformOutput": (_STATUS, (c_char_p, c_void_p, c_void_p, _WHY)),
    "EqTransformTaps": (_STATUS, (c_char_p, c_int32, c_int32, c_int32, c_void_p, _WHY)),
    "EqConvolutionCreate": (_STATUS, (POINTER(Convolution), POINTER(c_void_p), _WHY)),
    "EqConvolutionDelete": (None, (c_void_p,)),
    "EqConvolutionOutputShape": (None, (c_void_p, _INTS)),
    "EqConvolutionRun": (
        _STATUS,
        (c_void_p, c_void_p, c_char_p, c_char_p, c_int32, c_void_p, _WHY),
    ),
    "EqConvolutionCertify": (_STATUS, (c_void_p, c_char_p, c_char_p, _INTS, _WHY)),
    "EqConvolutionPlan": (_STATUS, (c_void_p, POINTER(Cpu), POINTER(Plan), _WHY)),
    "EqConvolutionRanges": (None, (c_void_p, c_void_p)),
    "EqConvolutionForms": (_STATUS, (c_void_p, _NAMES, _WHY)),
    "EqOperatorAt": (c_char_p, (c_int32,)),
    "EqCheckNode": (_STATUS, (POINTER(Node), _WHY)),
    "EqSelect": (
        _STATUS,
        (
            *(POINTER(Tensor), c_int32, POINTER(Node), c_int32, POINTER(Cpu), c_int32),
            *(_NAMES, _NAMES, c_int32, POINTER(Decision), _INTS, _WHY),
        ),
    ),
}


@functools.cache
def functions() -> ctypes.CDLL:
    """The library, with its functions declared.

    Raises:
        BackendError: It is missing, cannot be loaded, or is of another version than this package.
    """
    loaded = library.load_library(library.find(library.KERNELS), "EqVersion")
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def call(name: str, *arguments: Any) -> None:
    """Call a function that returns a status and takes a reason last.

    Raises:
        ValueError: It refuses its arguments, with its words.
        MemoryError: There is not enough.
    """
    reason = Reason()
    status = getattr(functions(), name)(*arguments, ctypes.byref(reason))
    if status == OUT_OF_MEMORY:
        raise MemoryError
    if status != DONE:
        raise ValueError(str(reason))


def encoded(name: str) -> bytes:
    """A name for the library; it takes none with a zero byte."""
    if "\0" in name:
        raise ValueError(f"{name!r}: holds a zero byte")
    return name.encode()


def text(name: bytes | None) -> str:
    """A name that the library gave."""
    return (name or b"").decode()


def int32s(values: Sequence[int]) -> Any:
    """A C array; ``ValueError`` for what does not fit, ``TypeError`` for what is no integer."""
    whole = [operator.index(value) for value in values]
    if any(not -(2**31) <= value < 2**31 for value in whole):
        raise ValueError(f"{whole}: not all fit in 32 bits")
    return (c_int32 * len(whole))(*whole)
