"""The delegate as an accelerator of LiteRT 2's ``CompiledModel``: a folder for its environment."""

from __future__ import annotations

import atexit
import functools
import importlib.metadata
import pathlib
import re
import shutil
import tempfile

from tflite_eq.delegate.library import (
    HOW_TO_GET,
    Option,
    check_options,
    check_version,
    checkout_outputs,
    option_text,
)
from tflite_eq.errors import BackendError, ConfigError

# Where the runtime looks first (delegate/litert/accelerator_options.h has the file beside it).
NAME = "libLiteRtGpuAccelerator.so"
OPTIONS_FILE = "tflite_eq_options.txt"

_DISTRIBUTIONS = ("ai-edge-litert", "ai-edge-litert-nightly")
_OLDEST = (2, 2)


def accelerator_dir(**options: Option) -> str:
    """A folder that makes ``CompiledModel`` run on the delegate what a model has for it.

    Models that ask for the CPU, which is the default, get the delegate, and XNNPACK what it leaves.
    Those that ask for a GPU get LiteRT's own accelerator for it, as without this.

    Args:
        **options: The delegate's options, e.g. ``num_threads=2``; docs/delegate.md has all of them.
            The environment variable ``TFLITE_EQ_ACCELERATOR_OPTIONS`` goes before them. Each set of
            options has a folder of its own, which is removed when the process ends.

    Raises:
        BackendError: The library is missing or of another version, or LiteRT is older than 2.2 and
            would pass it over.
        ConfigError: The library refuses an option; the message is its own.

    Example:
        >>> import tflite_eq.delegate
        >>> from ai_edge_litert.compiled_model import CompiledModel
        >>> from ai_edge_litert.environment import Environment
        >>> folder = tflite_eq.delegate.accelerator_dir(num_threads=2)
        >>> environment = Environment.create(runtime_path=folder)
        >>> model = CompiledModel.from_file("net_int8.tflite", environment=environment)
    """
    _check_runtime()
    library = _find()
    check_version(library)
    if not options:
        return str(library.parent)
    check_options(options)
    texts = tuple(sorted((name, option_text(value)) for name, value in options.items()))
    for name, text in texts:
        if "\n" in text or "\r" in text or text != text.strip():
            raise ConfigError(
                f"option {name}: {text!r} has a line break in it or a blank at an end, which the "
                "accelerator's options cannot have"
            )
    return _folder_with(library, texts)


@functools.cache
def _folder_with(library: pathlib.Path, options: tuple[tuple[str, str], ...]) -> str:
    """A copy of the library, not a link: the runtime would take that for what it has loaded."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tflite_eq_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copyfile(library, folder / NAME)
    lines = [f"{name}: {value}\n" for name, value in options]
    (folder / OPTIONS_FILE).write_text("".join(lines), encoding="utf-8")
    return str(folder)


def _find() -> pathlib.Path:
    candidates = [folder / "delegate" / "litert" / NAME for folder in checkout_outputs()]
    candidates.append(pathlib.Path(__file__).parent / "litert" / NAME)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise BackendError(f"this installation has no accelerator for LiteRT: {HOW_TO_GET}")


def _check_runtime() -> None:
    """LiteRT before 2.2 says little and goes on without an accelerator that it does not know."""
    for distribution in _DISTRIBUTIONS:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST:
            raise BackendError(
                f"{distribution} {version} takes no accelerators but its own: "
                f"pip install '{distribution}>=2.2', or give its Interpreter the delegate "
                "(tflite_eq.delegate.load)"
            )
        return
    raise BackendError("CompiledModel is LiteRT's: pip install 'ai-edge-litert>=2.2'")
