"""Quantizes as on another system, as far as Linux can play it; run by ``test_other_systems``.

Modules that the system lacks cannot be imported by tflite_eq, functions and constants of ``os`` and
``signal`` are gone, ``/proc`` cannot be opened, and on Windows no folder can be opened as a file.
Other packages, which choose by the system when they are imported, keep what they need.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import os
import signal
import sys
import types
from pathlib import Path
from typing import Any

import threadpoolctl

_OTHERS = (
    *("absl.app", "ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated"),
    *("concurrent.futures.process", "csv", "ctypes", "flatbuffers", "jinja2"),
    *("multiprocessing", "numpy", "PIL.Image", "tempfile", "tqdm"),
)


def play(system: dict[str, Any]) -> None:
    """Make this process look like one of a system, see ``test_other_systems.SYSTEMS``."""
    for name in _OTHERS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # This one chooses whenever it is called.
    finder = threadpoolctl.ThreadpoolController._find_libraries_with_dl_iterate_phdr
    threadpoolctl.ThreadpoolController._load_libraries = finder
    sys.platform = system["platform"]
    for owner, names in ((os, system["os"]), (signal, system["signal"])):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    _refuse_modules(set(system["modules"]))
    _refuse_paths(system["platform"] == "win32")
    if system["platform"] == "win32":
        sys.modules["msvcrt"] = _Msvcrt("msvcrt")


def _refuse_modules(refused: set[str]) -> None:
    plain = builtins.__import__

    def imported(name: str, globals: Any = None, *rest: Any, **named: Any) -> Any:
        is_ours = str((globals or {}).get("__name__", "")).startswith("tflite_eq")
        if is_ours and name.split(".")[0] in refused:
            raise ImportError(f"No module named {name!r}")
        return plain(name, globals, *rest, **named)

    builtins.__import__ = imported  # type: ignore[assignment]


def _refuse_paths(no_folders: bool) -> None:
    plain_open, plain_os_open = builtins.open, os.open

    def opened(file: Any, *rest: Any, **named: Any) -> Any:
        assert not str(file).startswith(("/proc", "/sys")) or not _caller_is_ours(), file
        return plain_open(file, *rest, **named)

    def os_opened(path: Any, *rest: Any, **named: Any) -> int:
        if no_folders and _caller_is_ours() and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return plain_os_open(path, *rest, **named)

    builtins.open, os.open = opened, os_opened


def _caller_is_ours() -> bool:
    return str(sys._getframe(2).f_globals.get("__name__", "")).startswith("tflite_eq")


class _Msvcrt(types.ModuleType):
    """What Windows has in place of ``fcntl``: locks bytes of a file that nobody else has locked."""

    LK_NBLCK = 2

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._locked: dict[tuple[int, int], int] = {}

    def locking(self, number: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        found = os.fstat(number)
        key = found.st_dev, found.st_ino
        held = self._locked.get(key)
        if held is not None and held != number and _is_open(held, found.st_ino):
            raise OSError(36, "Resource deadlock avoided")
        self._locked[key] = number


def _is_open(number: int, inode: int) -> bool:
    try:
        return os.fstat(number).st_ino == inode
    except OSError:
        return False


def main(folder: Path) -> dict[str, Any]:
    """Quantize what is in a folder by both ways in; returns what was seen."""
    import numpy as np

    import tflite_eq
    import tflite_eq.delegate
    from tflite_eq.cli.main import main as command
    from tflite_eq.cli.main import parse
    from tflite_eq.locking import try_lock

    model = (folder / "float.tflite").read_bytes()
    rng = np.random.default_rng(0)
    data = [[rng.standard_normal((1, 12, 12, 3)).astype(np.float32)] for _ in range(4)]
    search = tflite_eq.SearchSettings(rows=100, steps=10, max_rounds=1)
    config = tflite_eq.Config(search=search, bits="7")
    state, report = folder / "state", folder / "report"
    result = tflite_eq.quantize(model, data, config, resume_dir=state, report_dir=report)
    result.calibration.save(folder / "record.json")
    with (folder / "lock").open("wb") as first, (folder / "lock").open("wb") as second:
        locked = [try_lock(first), try_lock(second)]
    seen: dict[str, Any] = {"memory": result.report.process.peak_memory_mib, "locked": locked}
    try:
        tflite_eq.delegate.load()
    except tflite_eq.TfliteEqError as error:
        seen["delegate"] = str(error)
    np.savez(folder / "samples.npz", x=np.concatenate([x for (x,) in data]))
    arguments = {"model": "float.tflite", "calibration": "samples.npz", "output": "cli.tflite"}
    flags = [part for name, file in arguments.items() for part in (f"--{name}", str(folder / file))]
    code = command(parse(["tflite-eq", "quantize", *flags, "--preset", "fast"]))
    return {**seen, "code": code}


if __name__ == "__main__":
    play(json.loads(sys.argv[1]))
    print("SEEN " + json.dumps(main(Path(sys.argv[2]))))
