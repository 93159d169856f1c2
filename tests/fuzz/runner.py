"""Cases in processes that may crash, hang or eat the memory: each names what it was about to do."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import faulthandler
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import targets

# Processor time of one case; and time on the clock, for one that waits for what never comes.
SECONDS = 60.0
_WAITS = 10
# Beyond what the imported packages have mapped.
_MEMORY = 3 << 30
# What native code keeps between cases must not add up.
_CASES_PER_PROCESS = 2000


@dataclasses.dataclass(frozen=True)
class Finding:
    """A case that broke the contract.

    Attributes:
        case: Its name, ``target/seed``.
        kind: ``crash``, ``hang`` or ``wrong``.
        detail: The signal, or the end of the traceback.
    """

    case: str
    kind: str
    detail: str

    @property
    def signature(self) -> str:
        """What findings of the same cause share, as far as can be told."""
        lines = [line.strip() for line in self.detail.splitlines() if line.strip()]
        places = [line for line in lines if line.startswith("File ") and "tflite_eq/" in line]
        last = lines[-1][:100] if lines else ""
        return f"{self.kind}: {places[-1].split('tflite_eq/')[-1] if places else ''} {last}"


@dataclasses.dataclass
class Tally:
    """What cases came to."""

    cases: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    findings: list[Finding] = dataclasses.field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def text(self) -> str:
        """One line per target, then the slowest case."""
        names = sorted({name.split(":")[0] for name in self.cases})
        lines = [
            f"{name:18} {self.cases[f'{name}:result']:7} results "
            f"{self.cases[f'{name}:refused']:7} refused {self.cases[f'{name}:finding']:5} findings"
            for name in names
        ]
        total = sum(self.cases.values())
        lines.append(f"{total} cases, {len(self.findings)} findings; slowest: {self.slowest}")
        return "\n".join(lines)


def cases(first_seed: int, only: str | None = None) -> Iterator[tuple[str, int]]:
    """Endless cases, every target as often as its share says; the order is always the same."""
    names = [n for n, (_, share) in targets.TARGETS.items() for _ in range(share)]
    if only is not None:
        names = [only]
    seed = first_seed
    while True:
        yield names[int(np.random.default_rng(seed).integers(len(names)))], seed
        seed += 1


def run(
    wanted: Iterator[tuple[str, int]],
    seconds: float | None = None,
    count: int | None = None,
    log: Path | None = None,
) -> Tally:
    """Run cases one after another until the time is up or there were enough of them.

    Args:
        wanted: Cases.
        seconds: Time to spend.
        count: Number of cases.
        log: File that takes findings, one JSON object per line, as they come.
    """
    tally = Tally()
    end = None if seconds is None else time.monotonic() + seconds
    done = 0
    worker: _Worker | None = None
    try:
        for target, seed in wanted:
            if (end is not None and time.monotonic() > end) or done == count:
                break
            if worker is None or worker.done >= _CASES_PER_PROCESS:
                if worker is not None:
                    worker.stop()
                worker = _Worker()
            started = time.monotonic()
            ending = worker.run(target, seed)
            took = time.monotonic() - started
            done += 1
            tally.slowest = max(tally.slowest, (round(took, 1), f"{target}/{seed}"))
            if isinstance(ending, Finding):
                tally.cases[f"{target}:finding"] += 1
                tally.findings.append(ending)
                if log is not None:
                    with log.open("a") as stream:
                        stream.write(json.dumps(dataclasses.asdict(ending)) + "\n")
                if ending.kind != "wrong":
                    worker.stop()
                    worker = None
            else:
                tally.cases[f"{target}:{ending}"] += 1
    except KeyboardInterrupt:
        pass  # what there is counts
    finally:
        if worker is not None:
            worker.stop()
    return tally


class _Worker:
    """A forked process that runs cases."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="tflite_eq_fuzz_")
        self._process: Any = context.Process(
            target=_serve, args=(theirs, self._folder.name), daemon=True
        )
        self._process.start()
        theirs.close()
        self.done = 0

    def run(self, target: str, seed: int) -> str | Finding:
        """How a case ends: ``result``, ``refused``, or what is wrong."""
        case = f"{target}/{seed}"
        self.done += 1
        self._pipe.send((target, seed))
        try:
            if not self._answers():
                os.kill(self._process.pid, signal.SIGABRT)  # faulthandler shows where it is
                self._process.join(5)
                return Finding(case, "hang", f"no end\n{self._said()}")
            kind, detail = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            named = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
            return Finding(case, "crash", f"{self._said()}\n{named}")
        return Finding(case, "wrong", detail) if kind == "wrong" else str(kind)

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._folder.cleanup()

    def _answers(self) -> bool:
        """Whether the case ends in time; on a busy machine that says little of the clock's."""
        started = self._processor_seconds()
        for _ in range(_WAITS):
            if self._pipe.poll(SECONDS):
                return True
            if self._processor_seconds() - started > SECONDS / 2:
                return False
        return False

    def _processor_seconds(self) -> float:
        """What the process has computed for so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _said(self) -> str:
        path = Path(self._folder.name, "stderr")
        text = path.read_text(errors="replace") if path.exists() else ""
        # Where it was; what follows are the names of all loaded modules.
        return text.split("Extension modules:")[0][:4000]


def _serve(pipe: multiprocessing.connection.Connection, folder: str) -> None:
    _limit_memory()
    log = os.open(os.path.join(folder, "stderr"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 2)
    os.dup2(log, 1)
    # Not through descriptor 2, which the package redirects around native code.
    faulthandler.enable(os.fdopen(os.dup(log), "w"))
    while True:
        try:
            target, seed = pipe.recv()
        except EOFError:
            os._exit(0)
        os.ftruncate(log, 0)
        os.lseek(log, 0, os.SEEK_SET)
        pipe.send(_judged(target, seed, folder))


def _judged(target: str, seed: int, folder: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        try:
            kind, detail = targets.run_case(target, seed, Path(own))
            return kind, str(detail)[:300]
        except Exception:
            return "wrong", traceback.format_exc()[-6000:]


def _limit_memory() -> None:
    with open("/proc/self/statm", encoding="ascii") as stream:
        mapped = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (mapped + _MEMORY, mapped + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def prepare() -> None:
    """Import everything and make what cases share, so that forked processes have it."""
    import tensorflow.lite.python.convert  # noqa: F401

    targets.prepare()
    sys.stdout.flush()
