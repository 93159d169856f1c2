"""The TFLite runtimes installed beside this package, behind one way to make an interpreter."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import importlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Sequence
from typing import Any

from tflite_eq.errors import BackendError
from tflite_eq.quiet import quiet

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
    """

    name: str
    version: str
    module: str

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
        loaded = importlib.import_module(self.module)
        resolver = getattr(loaded.OpResolverType, _RESOLVERS[kernels])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecation notices meant for app authors
                made = loaded.Interpreter(
                    model_content=model,
                    num_threads=num_threads,
                    experimental_op_resolver_type=resolver,
                    experimental_delegates=list(delegates) or None,
                )
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"{self.description} rejects the model: {error}") from error
        if kernels is Kernels.DEFAULT:
            _swallow_notice(self.module, made)
        return made


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
    """The runtime if it is installed and imports (tflite-runtime 2.14 does not beside numpy 2)."""
    try:
        if importlib.util.find_spec(module.split(".")[0]) is None:
            return None
        with quiet():
            importlib.import_module(module)
    except ImportError:
        return None
    return Runtime(name, installed_version(name), module)


def available_runtimes() -> tuple[Runtime, ...]:
    """All installed runtimes, the preferred one first."""
    loaded = (_load(*candidate) for candidate in _CANDIDATES)
    return tuple(runtime for runtime in loaded if runtime is not None)


def preferred_runtime() -> Runtime:
    """The runtime used for everything that does not name one.

    Raises:
        BackendError: No TFLite runtime is installed.
    """
    for candidate in _CANDIDATES:
        runtime = _load(*candidate)
        if runtime is not None:
            return runtime
    raise BackendError(
        "no TFLite runtime is installed: pip install ai-edge-litert "
        "(or tensorflow, or tflite-runtime)"
    )


def runtime_named(name: str) -> Runtime:
    """The installed runtime with a distribution name.

    Raises:
        BackendError: It is not installed; the message names those that are.
    """
    check_runtime_name(name)
    runtime = _load(name, dict(_CANDIDATES)[name])
    if runtime is not None:
        return runtime
    found = ", ".join(runtime.name for runtime in available_runtimes()) or "none"
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
