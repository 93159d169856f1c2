"""Finding the delegate's shared library and handing it to a TFLite runtime."""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import pathlib
import platform
import sys
from collections.abc import Mapping
from typing import Any, Union

from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.files import is_file
from tflite_eq.runtimes import Runtime, preferred_runtime, runtime_named
from tflite_eq.version import __version__

NAME = "libtflite_eq_delegate.so"
KERNELS = "libtflite_eq_kernels.so"  # what kernels.py calls
VARIABLE = "TFLITE_EQ_DELEGATE"
RUNS_HERE = sys.platform.startswith(("linux", "android"))
_CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
_IN_CHECKOUT = (_CHECKOUT / "WORKSPACE").is_file()


def _how_to_get() -> str:
    if not RUNS_HERE:
        return "the delegate runs on Linux and Android only; quantize here, and run the model there"
    if _IN_CHECKOUT:
        return "run 'make build-delegate'"
    if platform.machine() in ("x86_64", "aarch64") and platform.libc_ver()[0] == "glibc":
        return (
            "install the wheel for this machine: "
            "pip install --force-reinstall --no-deps --only-binary :all: tflite-eq"
        )
    return (
        "wheels with it are for Linux with glibc on x86-64 and 64-bit ARM; elsewhere quantize with "
        "this installation, and run the model there"
    )


HOW_TO_GET = _how_to_get()

# In characters, of the options leave and claim (delegate/name_pattern.h).
LONGEST_PATTERN = 1023

# Of the option num_threads (delegate/options.h).
MOST_THREADS = 256

Option = Union[str, int, bool]


def checkout_outputs() -> list[pathlib.Path]:
    """Where Bazel puts what it built, if this package is imported from a checkout."""
    return [_CHECKOUT / "bazel-bin"] if _IN_CHECKOUT else []


def find(name: str | None = None) -> pathlib.Path:
    """Path of a library, the delegate's unless told.

    Looks in the checkout's ``bazel-bin`` and beside this module, in that order; for the delegate
    before that at the environment variable ``TFLITE_EQ_DELEGATE``.

    Raises:
        BackendError: There is none; the message says how to get one.

    Example:
        >>> import tflite_eq.delegate
        >>> tflite_eq.delegate.find().name
        'libtflite_eq_delegate.so'
    """
    if not RUNS_HERE:
        raise BackendError(HOW_TO_GET)
    name = name or NAME
    named = os.environ.get(VARIABLE) if name == NAME else None
    if named:
        if not is_file(named):
            raise BackendError(f"{VARIABLE}={named}: no such file; name the library {NAME}")
        return pathlib.Path(named).resolve()
    folder = "delegate" if name == NAME else "delegate/python"
    candidates = [outputs / folder / name for outputs in checkout_outputs()]
    candidates.append(pathlib.Path(__file__).with_name(name))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    or_else = f"; or set {VARIABLE} to a {NAME} built elsewhere" if name == NAME else ""
    raise BackendError(f"this installation has no {name}: {HOW_TO_GET}{or_else}")


def load(runtime: Runtime | str | None = None, **options: Option) -> Any:
    """The delegate, in the form ``Interpreter(experimental_delegates=[...])`` takes.

    Args:
        runtime: The runtime whose interpreter will use it, or its name, such as
            ``tensorflow``; the preferred installed one if ``None``.
        **options: The delegate's options, e.g. ``num_threads=2``, ``kernel="winograd_f43"``;
            docs/delegate.md has all of them.

    Raises:
        BackendError: The library is missing, cannot be loaded or is of another version.
        ConfigError: The library refuses an option; the message is its own.

    Example:
        >>> import tflite_eq.delegate
        >>> from ai_edge_litert.interpreter import Interpreter
        >>> delegate = tflite_eq.delegate.load("ai-edge-litert", num_threads=2)
        >>> interpreter = Interpreter("net_int8.tflite", experimental_delegates=[delegate])
        >>> interpreter.allocate_tensors()
    """
    path = find()
    check_version(path)
    if runtime is None:
        runtime = preferred_runtime()
    elif isinstance(runtime, str):
        runtime = runtime_named(runtime)
    texts = {name: option_text(value) for name, value in options.items()}
    try:
        return importlib.import_module(runtime.module).load_delegate(str(path), texts)
    except ValueError as error:
        raise ConfigError(f"the delegate refuses its options: {_last_line(error)}") from error


def check_options(options: Mapping[str, Option]) -> None:
    """Refuse options that the library would refuse, without a runtime, which takes long to import.

    Args:
        options: As for ``load``.

    Raises:
        BackendError: The library is missing, cannot be loaded or is of another version.
        ConfigError: It refuses an option; the message is its own.
    """
    path = find()
    check_version(path)
    plugin = ctypes.CDLL(str(path))
    said: list[str] = []
    report = _REPORT(lambda text: said.append(text.decode(errors="replace")))
    strings = ctypes.c_char_p * len(options)
    keys = strings(*(name.encode() for name in options))
    values = strings(*(option_text(value).encode() for value in options.values()))
    create, destroy = plugin.tflite_plugin_create_delegate, plugin.tflite_plugin_destroy_delegate
    create.restype, destroy.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    create.argtypes = [strings, strings, ctypes.c_size_t, _REPORT]
    delegate = create(keys, values, len(options), report)
    if not delegate:
        raise ConfigError(f"the delegate refuses its options: {' '.join(said)}")
    destroy(delegate)


# How an external delegate says what is wrong with its options.
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


@functools.cache
def check_version(path: pathlib.Path) -> None:
    """Refuse a delegate's library that was built from other sources than this package.

    Raises:
        BackendError: It cannot be loaded, is something else, or has another version.
    """
    load_library(path, "TfLiteEqDelegateVersion")


def load_library(path: pathlib.Path, version_function: str) -> ctypes.CDLL:
    """A library of this package's version.

    Args:
        path: Where it is.
        version_function: Its function that returns the version.

    Raises:
        BackendError: It cannot be loaded, is something else, or has another version.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendError(f"{path}: cannot be loaded: {error}; {HOW_TO_GET}") from error
    try:
        version = getattr(library, version_function)
    except AttributeError as error:
        raise BackendError(
            f"{path}: is not the tflite_eq library (it lacks {version_function}); {HOW_TO_GET}"
        ) from error
    version.restype = ctypes.c_char_p
    found = version().decode()
    if found != __version__:
        raise BackendError(
            f"{path}: is version {found}, but this package is {__version__}; both must be of the "
            f"same sources: {HOW_TO_GET}"
        )
    return library


def option_text(value: Option) -> str:
    """As the library parses it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _last_line(error: ValueError) -> str:
    """The library's own words, which runtimes put after a line of theirs."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
