"""Results stay exact while signals interrupt every thread all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import signal_storm
from tests.delegate.test_signals import check, storm_job
from tools.arm64.emulation import CORTEX_A53, NEOVERSE_N2, RUNTIMES, Cpu, Emulation


@pytest.mark.parametrize(
    ("cpu", "runtime", "kind"),
    [(CORTEX_A53, "tflite-runtime", "int8"), (NEOVERSE_N2, "ai-edge-litert", "lattice")],
    ids=str,
)
def test_results_stay_exact(
    cpu: Cpu, runtime: str, kind: str, emulation: Emulation, library: Path, tmp_path: Path
) -> None:
    job = storm_job(tmp_path, RUNTIMES[runtime], library, kind)
    check(emulation.python(cpu, Path(signal_storm.__file__), job))
