"""Options that ask for what the CPU has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.arm64.emulation import (
    CORTEX_A53,
    CORTEX_A76,
    RUNTIMES,
    Cpu,
    Emulation,
)

_SCRIPT = Path(__file__).parent / "guest" / "load_delegate.py"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("cpu", "isa", "best"),
    [
        (CORTEX_A53, "neon_dotprod", "neon"),
        (CORTEX_A53, "neon_i8mm", "neon"),
        (CORTEX_A76, "neon_i8mm", "neon_dotprod"),
        (CORTEX_A76, "avx2", "neon_dotprod"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_instruction_sets_the_cpu_lacks_are_refused(
    cpu: Cpu, isa: str, best: str, runtime: str, emulation: Emulation, library: Path
) -> None:
    error = load_delegate(cpu, isa, runtime, emulation, library)
    assert error is not None
    assert f"this CPU does not support {isa}; the best it has is {best}, which" in error


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_those_it_has_are_not(runtime: str, emulation: Emulation, library: Path) -> None:
    assert load_delegate(CORTEX_A76, "neon_dotprod", runtime, emulation, library) is None


def load_delegate(
    cpu: Cpu, isa: str, runtime: str, emulation: Emulation, library: Path
) -> str | None:
    """What the runtime says of a delegate for an instruction set; ``None`` if it takes it."""
    job = {"module": RUNTIMES[runtime], "library": str(library), "options": {"isa": isa}}
    error: str | None = emulation.python(cpu, _SCRIPT, job)["error"]
    return error
