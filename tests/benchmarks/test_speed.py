"""What the benchmark of quantizing counts."""

from __future__ import annotations

import sys

from benchmarks.speed import Usage, median, usage_of

_BURN = "import time; e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
_START_ANOTHER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BURN!r}])"


def test_time_is_that_of_a_process_and_of_those_it_starts() -> None:
    alone = usage_of([sys.executable, "-c", "pass"])
    for program in (_BURN, _START_ANOTHER):
        found = usage_of([sys.executable, "-c", program])
        assert alone is not None
        assert found is not None
        assert found.cpu_seconds >= 0.3
        assert found.cpu_seconds > alone.cpu_seconds
        assert found.seconds > 0


def test_memory_is_that_of_the_one_that_took_most() -> None:
    program = "x = bytearray(200 << 20); x[::4096] = bytes(len(x[::4096]))"
    found = usage_of([sys.executable, "-c", program])
    assert found is not None
    assert 200 <= found.peak_memory_mib < 400


def test_a_process_that_fails_has_no_figures() -> None:
    assert usage_of([sys.executable, "-c", "raise SystemExit(3)"]) is None


def test_medians_are_those_of_each_figure() -> None:
    runs = [Usage(1.0, 30.0, 500), Usage(9.0, 10.0, 100), Usage(2.0, 20.0, 300)]
    assert median(runs) == Usage(2.0, 20.0, 300)
