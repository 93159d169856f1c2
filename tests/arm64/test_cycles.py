"""Blocks, cycles and rivals under emulation, from end to end."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import models, running
from tests.arm64.cases import SMALL, Case, QuantizedModel, Selection, quantized
from tests.arm64.guest import count_known_code, walk_memory
from tests.delegate import networks
from tflite_eq.runtimes import runtime_named
from tools.arm64.blocks import Block, innermost_loops, parse_blocks
from tools.arm64.cores import CORES
from tools.arm64.counting import Inference, count
from tools.arm64.emulation import CORTEX_A53, Emulation
from tools.arm64.estimate import Cycles, estimate
from tools.arm64.hottest import hottest
from tools.arm64.llvm import VERSION, Llvm
from tools.arm64.rivals.network import network_of
from tools.arm64.rivals.writers import WRITERS

CACHES = ((32768, 4), (524288, 16))

needs_llvm = pytest.mark.skipif(
    shutil.which(f"llvm-mca-{VERSION}") is None,
    reason=f"needs llvm-mca {VERSION}: apt-get install llvm-{VERSION}",
)


@pytest.fixture(scope="module")
def network() -> QuantizedModel:
    return quantized(Case(CORTEX_A53, SMALL, "int8"), Selection.CHOSEN)


def blocks_of(emulation: Emulation, script: Path, counts: Path) -> list[Block]:
    emulation.python(CORTEX_A53, script, {}, counts=counts, caches=CACHES)
    return parse_blocks(counts.read_text())


def test_code_of_known_length(emulation: Emulation, tmp_path: Path) -> None:
    blocks = blocks_of(emulation, Path(count_known_code.__file__), tmp_path / "counts")
    # The first round is in the block that the loop is entered by.
    ((loop,),) = innermost_loops(blocks)
    assert (loop.executions, loop.instructions) == (count_known_code.ROUNDS - 1, 4)
    assert loop.misses == ((0, 0), (0, 0))  # the same word in every round


def test_lines_of_known_number(emulation: Emulation, tmp_path: Path) -> None:
    blocks = blocks_of(emulation, Path(walk_memory.__file__), tmp_path / "counts")
    (first,), (second,) = innermost_loops(sorted(blocks, key=lambda block: block.address))
    lines = walk_memory.BYTES // 64
    # From memory at first; then nothing of it is left in a first cache of half the size.
    (near, far), (near_again, far_again) = first.misses, second.misses
    assert (sum(near), sum(far_again)) == (0, 0)
    assert sum(far) == pytest.approx(lines, abs=2)  # some are in the block that the loop begins in
    assert sum(near_again) == pytest.approx(lines, abs=2)
    # A prefetcher has to see where it goes.
    assert far[0] + near_again[0] <= 4


@needs_llvm
@pytest.mark.parametrize("name", ["a53", "a76"])
def test_an_inference_costs_more_than_its_multiplications(
    name: str, emulation: Emulation, library: Path, network: QuantizedModel
) -> None:
    core, llvm = CORES[name], Llvm()
    inference = Inference(network.model, network.samples[0][0])
    (counted,) = count(emulation, core.cpu, "ai-edge-litert", library, [inference], core.caches)
    cycles = estimate(core, llvm, counted.blocks)
    total = sum(cycles, Cycles())
    assert counted.total / core.width <= total.compute
    assert total.compute < 10 * counted.total
    assert total.stream > 0
    # XNNPACK's kernels have symbols, and take most of the time in a network of convolutions.
    (first, *_) = hottest(counted.blocks, cycles, counted.mappings, llvm, 1)
    assert "xnn_" in first.place


@pytest.mark.parametrize("rival", WRITERS)
def test_rivals_compute_the_same_network(
    rival: str, emulation: Emulation, library: Path, network: QuantizedModel
) -> None:
    if not (emulation.rivals / rival).is_dir():
        pytest.skip(f"no {rival} in {emulation.rivals}: tools/arm64/setup.sh FOLDER rivals")
    # One of those it was calibrated on: beyond them only what is quantized is clamped.
    (image,) = models.samples(networks.IMAGE, count=4)[0]
    own = runtime_named("ai-edge-litert")
    (output,) = running.run(network.model, [image], runtime=own)
    expected = output.reshape(-1)
    values = image[0].transpose(2, 0, 1)
    variants = WRITERS[rival]
    inferences = [
        write(network_of(network.model), np.ascontiguousarray(values))
        for write in variants.values()
    ]
    for kind, counted in zip(variants, count(emulation, CORTEX_A53, rival, library, inferences)):
        assert counted.output is not None
        found = np.asarray(counted.output)
        assert found.shape == expected.shape
        error = np.abs(found - expected).max() / np.abs(expected).max()
        assert error < 0.05, f"{rival} {kind}"
