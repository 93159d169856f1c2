"""What the delegate takes, it computes with fewer instructions than the runtime would, or cycles.

The figures of larger networks are in docs/arm64.md; these here are small enough to be counted at
every change.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests import shared_data
from tests.arm64.cases import SMALL, Case, Selection, quantized
from tests.arm64.guest import count_known_code
from tools.arm64 import counting
from tools.arm64.blocks import Kind, Mappings, parse_blocks
from tools.arm64.cores import CORES
from tools.arm64.counting import Count
from tools.arm64.emulation import CORTEX_A53, CPUS, Cpu, Emulation
from tools.arm64.estimate import Cycles, estimate
from tools.arm64.llvm import Llvm

_SCRIPT = Path(count_known_code.__file__)

# tflite-runtime 2.14 has no XNNPACK kernels for int8 convolutions: it is no match.
RUNTIME = "ai-edge-litert"
# Instructions that depend on where things happen to lie in memory: hundreds, in one inference.
NOISE = 2000
# Models whose instructions do not say that they are faster.
MOST_BY_CYCLES = 1
MODELS = ("resnet8_cifar10", "mobilenet_v1_0.25_224", "squeezenet1_1_gluon", "tiny_darknet")


@pytest.fixture(scope="module")
def count_all(emulation: Emulation, library: Path):
    """Counts of all models on a CPU: (network, kind) to the runtime alone and with the delegate."""
    names = [SMALL, *(MODELS if shared_data.folder() else ())]

    @functools.cache
    def counts(cpu: Cpu) -> dict[tuple[str, str], tuple[Count, Count]]:
        wanted = [(name, kind) for name in names for kind in ("int8", "auto")]
        jobs = []
        for name, kind in wanted:
            model = quantized(Case(cpu, name, kind), Selection.CHOSEN)
            (values,) = model.samples[0]
            jobs += [counting.Inference(model.model, values, options) for options in (None, {})]
        found = counting.count(emulation, cpu, RUNTIME, library, jobs)
        return dict(zip(wanted, zip(found[::2], found[1::2])))

    return counts


@pytest.mark.parametrize("cpu", CPUS, ids=str)
def test_no_model_takes_longer_with_the_delegate(
    cpu: Cpu, count_all, emulation: Emulation, library: Path
) -> None:
    more = [
        key
        for key, (without, delegated) in count_all(cpu).items()
        if delegated.total > without.total + NOISE
    ]
    # More instructions may take fewer cycles: loads of 64 bits, which cores that issue in order
    # begin beside multiplications, in place of half as many of 128.
    slower = {key: estimates_of(cpu, *key, emulation, library) for key in more}
    assert {key: found for key, found in slower.items() if found[1] > found[0]} == {}
    assert len(more) <= MOST_BY_CYCLES


def estimates_of(
    cpu: Cpu, name: str, kind: str, emulation: Emulation, library: Path
) -> tuple[float, float]:
    """Cycles of the runtime alone and with the delegate, on the core that the CPU stands for."""
    (core,) = (core for core in CORES.values() if core.cpu == cpu)
    model = quantized(Case(cpu, name, kind), Selection.CHOSEN)
    jobs = [counting.Inference(model.model, model.samples[0][0], options) for options in (None, {})]
    llvm = Llvm()
    alone, delegated = (
        sum(estimate(core, llvm, counted.blocks), Cycles()).total
        for counted in counting.count(emulation, cpu, RUNTIME, library, jobs, core.caches)
    )
    return alone, delegated


@pytest.mark.parametrize("cpu", CPUS, ids=str)
def test_counts_are_repeatable(cpu: Cpu, count_all, emulation: Emulation, library: Path) -> None:
    without, _ = count_all(cpu)[SMALL, "int8"]
    model = quantized(Case(cpu, SMALL, "int8"), Selection.CHOSEN)
    (again,) = counting.count(
        emulation, cpu, RUNTIME, library, [counting.Inference(model.model, model.samples[0][0])]
    )
    assert abs(again.total - without.total) <= NOISE


def test_code_of_known_length(emulation: Emulation, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    emulation.python(CORTEX_A53, _SCRIPT, {}, counts=counts)
    found = Count(parse_blocks(counts.read_text()), Mappings(""), [])
    # A move; in each round a subtraction, a vector addition, a load and a branch; the marker at the
    # end, and the return in the same block.
    rounds = count_known_code.ROUNDS
    assert found.total == 1 + 4 * rounds + 2
    assert found.by_kind == {
        Kind.SCALAR: 1 + rounds,
        Kind.VECTOR: rounds,
        Kind.MEMORY: rounds,
        Kind.BRANCH: rounds + 2,  # hints are in the class of branches
    }
