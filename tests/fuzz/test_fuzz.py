"""A first stretch of the cases that ``python -m tests.fuzz`` goes on with for hours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import contract, runner, targets
from tests.fuzz.networks import Random
from tflite_eq.errors import ModelError

# As many as fit into a minute of one core; always the same ones.
CASES = 2000


def test_every_case_ends_in_a_result_or_one_line() -> None:
    """In a process of its own: cases run in forks of it, which must have no threads."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seed", "0", "--count", str(CASES)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    print(finished.stdout)
    assert finished.returncode == 0, finished.stdout + finished.stderr[-2000:]
    assert f"{CASES} cases, 0 findings" in finished.stdout


def crash(rng: Random, folder: Path) -> contract.Ending:
    os.abort()


def hang(rng: Random, folder: Path) -> contract.Ending:
    while True:
        pass


def grow(rng: Random, folder: Path) -> contract.Ending:
    return contract.RESULT, len(bytearray(64 << 30))


def fail(rng: Random, folder: Path) -> contract.Ending:
    raise KeyError("a defect")


def two_lines(rng: Random, folder: Path) -> contract.Ending:
    contract.check_message("one\ntwo; do this")
    return contract.RESULT, ""


def refuse(rng: Random, folder: Path) -> contract.Ending:
    def function() -> None:
        raise ModelError("model: it is broken; mend it")

    return contract.held(function)


@pytest.mark.parametrize(
    ("target", "kind", "said"),
    [
        (crash, "crash", "SIGABRT"),
        (hang, "hang", "no end"),
        (grow, "wrong", "MemoryError"),
        (fail, "wrong", "KeyError"),
        (two_lines, "wrong", "not one line"),
    ],
)
def test_broken_contract_names_its_case(
    monkeypatch: pytest.MonkeyPatch, target: object, kind: str, said: str
) -> None:
    monkeypatch.setattr(targets, "TARGETS", {"good": (refuse, 1), "bad": (target, 1)})
    monkeypatch.setattr(runner, "SECONDS", 2.0)
    tally = runner.run(iter([("good", 1), ("bad", 2), ("good", 3)]))
    assert [(f.case, f.kind) for f in tally.findings] == [("bad/2", kind)]
    assert said in tally.findings[0].detail
    assert tally.cases == {"good:refused": 2, "bad:finding": 1}


def test_case_depends_on_nothing_but_its_name() -> None:
    first = targets.generator("quantize", 5).random()
    assert targets.generator("quantize", 5).random() == first
    assert targets.generator("inspect", 5).random() != first
    assert targets.generator("quantize", 6).random() != first
