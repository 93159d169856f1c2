"""That the emulated CPUs are what they are called: all other tests here build on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.arm64.emulation import CORTEX_A53, CORTEX_A76, NEOVERSE_N2, Cpu, Emulation

_SCRIPT = Path(__file__).parent / "guest" / "describe_cpu.py"

# What Linux tells programs of the features that choose kernels.
FEATURES = {
    CORTEX_A53: set(),
    CORTEX_A76: {"dotprod"},
    NEOVERSE_N2: {"dotprod", "i8mm"},
}


@pytest.mark.parametrize("counted", [False, True], ids=["run", "counted"])
@pytest.mark.parametrize("cpu", FEATURES, ids=lambda cpu: cpu.name)
def test_features_and_part_number(
    cpu: Cpu, counted: bool, emulation: Emulation, tmp_path: Path
) -> None:
    counts = tmp_path / "counts" if counted else None
    found = emulation.python(cpu, _SCRIPT, {}, counts=counts)
    assert found["machine"] == "aarch64"
    assert set(found["features"]) == FEATURES[cpu]
    assert {int(part, 16) for part in found["parts"]} == {cpu.part}
