"""The library's C functions, called the way C programs do."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.delegate import networks
from tflite_eq.delegate.claims import captured_stderr
from tflite_eq.delegate.process import call_apart
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes

REPORT = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


class Options(ctypes.Structure):
    """TfLiteEqDelegateOptions of delegate/tflite_eq_delegate.h."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("num_threads", ctypes.c_int32),
        ("kernel", ctypes.c_char_p),
        ("isa", ctypes.c_char_p),
        ("verify", ctypes.c_bool),
        ("require_delegation", ctypes.c_bool),
        ("log_level", ctypes.c_int32),
        ("profile", ctypes.c_bool),
        ("reference_in_place", ctypes.c_bool),
        ("min_saving", ctypes.c_int32),
        ("leave", ctypes.c_char_p),
        ("claim", ctypes.c_char_p),
        ("reserved", ctypes.c_uint64 * 25),
    )


def declared(library: Path) -> Any:
    """The library with the types of its functions."""
    loaded = ctypes.CDLL(str(library))
    loaded.TfLiteEqDelegateOptionsDefault.restype = Options
    loaded.TfLiteEqDelegateCreate.argtypes = [ctypes.POINTER(Options)]
    loaded.TfLiteEqDelegateCreate.restype = ctypes.c_void_p
    loaded.TfLiteEqDelegateDelete.argtypes = [ctypes.c_void_p]
    strings = ctypes.POINTER(ctypes.c_char_p)
    create = loaded.tflite_plugin_create_delegate
    create.argtypes = [strings, strings, ctypes.c_size_t, REPORT]
    create.restype = ctypes.c_void_p
    loaded.tflite_plugin_destroy_delegate.argtypes = [ctypes.c_void_p]
    return loaded


@pytest.fixture(scope="module")
def functions(library: Path) -> Any:
    return declared(library)


class Handle:
    """A delegate from the C API, in the form ``Interpreter`` takes."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer

    def _get_native_delegate_pointer(self) -> int:
        return self._pointer


@pytest.fixture
def options(functions: Any) -> Options:
    defaults: Options = functions.TfLiteEqDelegateOptionsDefault()
    return defaults


def test_defaults(options: Options) -> None:
    assert options.struct_size == ctypes.sizeof(Options)
    assert not any(options.reserved)
    assert (options.num_threads, options.kernel, options.isa) == (0, None, None)
    assert (options.verify, options.require_delegation, options.profile) == (False, False, False)
    assert options.log_level == 1
    assert (options.min_saving, options.leave, options.claim) == (0, None, None)


def run_model(library: Path, runtime: Runtime, model: bytes) -> tuple[list[Any], bool]:
    """Outputs of the reference kernels without and with a delegate from the C API, and whether it
    ran anything."""
    functions = declared(library)
    options = functions.TfLiteEqDelegateOptionsDefault()
    options.kernel, options.num_threads, options.verify = b"winograd_f43", 2, True
    options.require_delegation, options.log_level = True, 0
    pointer = functions.TfLiteEqDelegateCreate(ctypes.byref(options))
    outputs, delegated = [], False
    for delegates in ([], [Handle(pointer)]):
        interpreter = runtime.interpreter(model, Kernels.REFERENCE, delegates=delegates)
        interpreter.allocate_tensors()
        (details,) = interpreter.get_input_details()
        values = np.random.default_rng(0).normal(size=details["shape"]).astype(np.float32)
        interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
        names = [node["op_name"].upper() for node in interpreter._get_ops_details()]
        delegated = any("DELEGATE" in name for name in names)
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        del interpreter  # before its delegate
    functions.TfLiteEqDelegateDelete(pointer)
    return outputs, delegated


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda r: r.name)
def test_a_delegate_made_in_c_runs_a_model(library: Path, runtime: Runtime) -> None:
    model = networks.quantized("int8")
    (expected, found), delegated = call_apart("the C API", run_model, library, runtime, model)
    assert delegated
    np.testing.assert_array_equal(found, expected)


def test_null_options_are_the_defaults(functions: Any) -> None:
    pointer = functions.TfLiteEqDelegateCreate(None)
    assert pointer
    functions.TfLiteEqDelegateDelete(pointer)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_threads", 257, "257"),
        ("num_threads", -1, "-1"),
        ("kernel", b"fast", '"fast" is none of auto, winograd_f43'),
        ("isa", b"mmx", '"mmx" is none of auto, scalar'),
        ("log_level", 3, "3"),
        ("struct_size", 0, "start from TfLiteEqDelegateOptionsDefault()"),
        ("struct_size", 48, "start from TfLiteEqDelegateOptionsDefault()"),
        ("struct_size", 4096, "start from TfLiteEqDelegateOptionsDefault()"),
        ("reserved", (ctypes.c_uint64 * 25)(7), "use a newer library"),
        ("leave", b"conv(", "a ( without its )"),
        ("claim", b"a{9}", "a repetition count"),
        ("min_saving", 2000000000, "option min_saving: 2000000000 is above"),
    ],
)
def test_bad_options_give_null_and_a_message(
    functions: Any, options: Options, field: str, value: Any, message: str
) -> None:
    setattr(options, field, value)
    with captured_stderr() as log:
        assert functions.TfLiteEqDelegateCreate(ctypes.byref(options)) is None
    assert log.getvalue().startswith("tflite_eq: ")
    assert message in log.getvalue()


def plugin(functions: Any, flag: str) -> tuple[int | None, list[str]]:
    """A delegate from ``benchmark_model --external_delegate_options=FLAG``, which cuts the flag at
    semicolons and colons; and what it reported."""
    pairs = [option.split(":", 1) for option in flag.split(";") if option]
    keys, values = (
        (ctypes.c_char_p * len(pairs))(*(pair[i].encode() for pair in pairs)) for i in (0, 1)
    )
    reports: list[str] = []
    report = REPORT(lambda text: reports.append(text.decode()))
    return functions.tflite_plugin_create_delegate(keys, values, len(pairs), report), reports


@pytest.mark.parametrize("flag", ["", "num_threads:2", "num_threads:2;kernel:direct;log_level:0"])
def test_entry_points_of_an_external_delegate(functions: Any, flag: str) -> None:
    pointer, reports = plugin(functions, flag)
    assert pointer
    assert reports == []
    functions.tflite_plugin_destroy_delegate(pointer)


def test_entry_point_reports_what_is_wrong(functions: Any) -> None:
    pointer, reports = plugin(functions, "num_threads:2;kernels:direct")
    assert pointer is None
    (report,) = reports
    assert 'unknown option "kernels"' in report


def test_entry_point_needs_no_report_function(functions: Any) -> None:
    keys, values = (ctypes.c_char_p * 1)(b"no"), (ctypes.c_char_p * 1)(b"no")
    assert functions.tflite_plugin_create_delegate(keys, values, 1, REPORT()) is None


def test_deleting_nothing_is_allowed(functions: Any) -> None:
    functions.TfLiteEqDelegateDelete(None)
    functions.tflite_plugin_destroy_delegate(None)
