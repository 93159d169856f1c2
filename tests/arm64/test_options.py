"""The option ``isa`` on CPUs that have the instruction set and on CPUs that have not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arm64.cases import ISAS
from tools.arm64.emulation import CPUS, RUNTIMES, Cpu, Emulation

_SCRIPT = Path(__file__).parent / "guest" / "load_delegate.py"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("cpu", CPUS, ids=str)
def test_instruction_sets_the_cpu_lacks_are_refused(
    cpu: Cpu, runtime: str, emulation: Emulation, library: Path
) -> None:
    has = ["auto", "scalar", *ISAS[cpu]]
    asked = [*has, *(set(ISAS[CPUS[-1]]) - set(has)), "avx2", "avx512_vnni"]
    options = [{"isa": isa} for isa in asked]
    job = {"module": RUNTIMES[runtime], "library": str(library), "options": options}
    errors = dict(zip(asked, emulation.python(cpu, _SCRIPT, job)["errors"]))
    for isa in has:
        assert errors.pop(isa) is None
    assert errors
    for isa, error in errors.items():
        assert f"this CPU does not support {isa}; the best it has is {has[-1]}, which" in error
