"""The TFLite runtimes installed beside this package, behind one way to make an interpreter.

A broken one is told from a broken model: before any other model, each runs one that is known to be
right. One that cannot is left out, as if it were not installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import importlib
import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq import known_model
from tflite_eq.errors import BackendError
from tflite_eq.process_apart import InterpreterApart, NotStartedError, process_apart
from tflite_eq.progress import note
from tflite_eq.quiet import quiet
from tflite_eq.session import Session
from tflite_eq.workers import is_worker

Interpreter = Any


class Kernels(enum.Enum):
    """Which kernels a runtime computes with."""

    DEFAULT = "default"  # built-in kernels with XNNPACK applied on top
    BUILTIN = "builtin"  # optimised built-in kernels, no delegate
    REFERENCE = "reference"  # reference kernels: identical on every runtime, the oracle


_RESOLVERS = {
    Kernels.DEFAULT: "BUILTIN",
    Kernels.BUILTIN: "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    Kernels.REFERENCE: "BUILTIN_REF",
}


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One installed TFLite runtime.

    Attributes:
        name: Distribution name, e.g. ``ai-edge-litert``.
        version: Installed version.
        module: Module that holds ``Interpreter`` and ``OpResolverType``.
        is_apart: Whether interpreters are made in another process, so that this one need not
            import the module. They compute the same, for a copy of every tensor more.
    """

    name: str
    version: str
    module: str
    is_apart: bool = dataclasses.field(default=False, compare=False)

    @property
    def description(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    def interpreter(
        self,
        model: bytes,
        kernels: Kernels = Kernels.DEFAULT,
        num_threads: int = 1,
        delegates: Sequence[Any] = (),
    ) -> Interpreter:
        """An interpreter over ``model``; tensors are not allocated yet.

        Args:
            model: Content of a ``.tflite`` file.
            kernels: What computes the operators that no delegate takes.
            num_threads: Threads to compute with.
            delegates: Delegates to apply, in order; ``tflite_eq.delegate.load`` makes one.

        Raises:
            BackendError: The runtime rejects the model.
        """
        made = self.bare_interpreter(model, kernels, num_threads, delegates)
        if kernels is Kernels.DEFAULT and not isinstance(made, InterpreterApart):
            _swallow_notice(self.module, made)
        return made

    def bare_interpreter(
        self,
        model: bytes,
        kernels: Kernels,
        num_threads: int = 1,
        delegates: Sequence[Any] = (),
    ) -> Interpreter:
        """The same; the first one of a process says at its allocation that it uses XNNPACK."""
        if self.is_apart and not delegates:
            return InterpreterApart(self, model, kernels, num_threads)
        loaded = importlib.import_module(self.module)
        resolver = getattr(loaded.OpResolverType, _RESOLVERS[kernels])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecation notices meant for app authors
                return loaded.Interpreter(
                    model_content=model,
                    num_threads=num_threads,
                    experimental_op_resolver_type=resolver,
                    experimental_delegates=list(delegates) or None,
                )
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"{self.description} rejects the model: {error}") from error

    def load(self) -> None:
        """Import the runtime where its interpreters are made; raises what the import raises."""
        if self.is_apart:
            process_apart().call(self, "load")
        else:
            importlib.import_module(self.module)


_announced: set[str] = set()


def _swallow_notice(module: str, interpreter: Interpreter) -> None:
    """Have a runtime say now, unheard, that it uses XNNPACK, which it does once per process."""
    if module in _announced:
        return
    _announced.add(module)
    # What is wrong with the model shows when the caller allocates.
    with quiet(), contextlib.suppress(ValueError, RuntimeError):
        interpreter.allocate_tensors()


# In order of preference: import time, and how current the kernels are.
_CANDIDATES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tensorflow", "tensorflow.lite.python.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)


def installed_version(distribution: str) -> str:
    """Version of a runtime, ``unknown`` if there is none that can be told.

    TensorFlow's wheels come under several distribution names.
    """
    for name in (distribution, f"{distribution}-cpu", f"{distribution}-intel"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


@functools.cache
def _load(name: str, module: str) -> Runtime | None:
    """The runtime if it is installed and works; if it does not, that is said once."""
    if importlib.util.find_spec(module.split(".")[0]) is None:
        return None
    return _working(Runtime(name, installed_version(name), module))


@functools.cache
def _load_apart(name: str, module: str) -> Runtime | None:
    """The same without an import of TensorFlow, which takes seconds and 300 MiB, into this process.

    Where no other process can be started it is imported after all.
    """
    if importlib.util.find_spec(module.split(".")[0]) is None:
        return None
    try:
        return _working(Runtime(name, installed_version(name), module, is_apart=True))
    except NotStartedError:
        return _load(name, module)


def _is_slow(module: str) -> bool:
    """Whether a runtime is better left to another process: what it is part of is not imported."""
    root = module.split(".")[0]
    return root == "tensorflow" and root not in sys.modules and not is_worker()


def _working(runtime: Runtime) -> Runtime | None:
    """The runtime, unless something is wrong with it, which is said."""
    name = runtime.name
    fault = _fault(runtime)
    if fault is None:
        return runtime
    _faults[name] = f"{runtime.description} {fault}"
    note(f"note: {_faults[name]}; it is left out. {_mend(runtime)}")
    return None


# What is wrong with installed runtimes, by distribution name.
_faults: dict[str, str] = {}


def _mend(runtime: Runtime) -> str:
    again = f"pip install --force-reinstall --no-deps '{runtime.name}=={runtime.version}'"
    return f"Install it again ({again}) or another version, or uninstall it"


def _fault(runtime: Runtime) -> str | None:
    """What is wrong with an installed runtime, told by a model that is known to be right."""
    try:
        with quiet():
            runtime.load()
    except (MemoryError, NotStartedError):
        raise
    except Exception as error:  # of native code for another NumPy, CPU or C library
        return f"does not import ({_reason(error)})"
    try:
        model = known_model.known_model()
    except BackendError:
        return None  # nothing can be built without the schema, and nothing be quantized
    for kernels in Kernels:
        try:
            with quiet():
                found = _run(runtime.interpreter(model, kernels), known_model.INPUT)
        except (MemoryError, NotStartedError):
            raise
        except Exception as error:
            said = f"cannot run a model of one convolution with {kernels.value} kernels"
            return f"{said} ({_reason(error)})"
        if not np.array_equal(found, known_model.EXPECTED):
            return f"computes a model of one convolution wrongly with {kernels.value} kernels"
    return None


def _run(interpreter: Interpreter, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    return Session(interpreter).run([values])[0]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def available_runtimes() -> tuple[Runtime, ...]:
    """All installed runtimes that work, the preferred one first; slow ones in processes apart."""
    loaded = (
        _load_apart(name, module) if _is_slow(module) else _load(name, module)
        for name, module in _CANDIDATES
    )
    return tuple(runtime for runtime in loaded if runtime is not None)


def preferred_runtime() -> Runtime:
    """The runtime used for everything that does not name one.

    Raises:
        BackendError: No TFLite runtime is installed, or none that works.
    """
    for candidate in _CANDIDATES:
        runtime = _load(*candidate)
        if runtime is not None:
            return runtime
    if _faults:
        raise BackendError(
            f"no installed TFLite runtime works: {'; '.join(_faults.values())}. Install one of "
            "them again: pip install --force-reinstall ai-edge-litert"
        )
    raise BackendError(
        "no TFLite runtime is installed: pip install ai-edge-litert "
        "(or tensorflow, or tflite-runtime)"
    )


def runtime_named(name: str) -> Runtime:
    """The installed runtime with a distribution name.

    Raises:
        BackendError: It is not installed, or does not work; the message names those that do.
    """
    check_runtime_name(name)
    runtime = _load(name, dict(_CANDIDATES)[name])
    if runtime is not None:
        return runtime
    found = ", ".join(runtime.name for runtime in available_runtimes()) or "none"
    if name in _faults:
        raise BackendError(f"{_faults[name]}; install it again, or use another one: {found}")
    raise BackendError(f"the TFLite runtime {name!r} is not installed; installed: {found}")


def check_runtime_name(name: str) -> None:
    """Refuse what is no installed runtime, without importing any: that takes seconds.

    Raises:
        BackendError: It is none; the message names those that are.
    """
    installed = [
        distribution
        for distribution, module in _CANDIDATES
        if importlib.util.find_spec(module.split(".")[0]) is not None
    ]
    if name not in installed:
        raise BackendError(
            f"the TFLite runtime {name!r} is not installed; installed: "
            f"{', '.join(installed) or 'none'}"
        )
