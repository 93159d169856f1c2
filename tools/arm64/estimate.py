"""Cycles of what was counted on a core: its pipeline's by LLVM's model, and its caches' misses.

How good that is, docs/arm64.md says: other runtimes' published milliseconds are what it is held to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tools.arm64.blocks import Block, innermost_loops
from tools.arm64.cores import Core
from tools.arm64.llvm import Llvm
from tools.arm64.pipeline import Instruction, cycles_of_loop, cycles_of_pass


@dataclasses.dataclass(frozen=True)
class Cycles:
    """Cycles of one block, or of all.

    Attributes:
        compute: If all data were in the first cache level.
        stream: More for lines that are prefetched or written: bandwidth.
        latency: More for lines that nobody prefetched: latency, less what the core hides.
    """

    compute: float = 0
    stream: float = 0
    latency: float = 0

    @property
    def total(self) -> float:
        """All of them.

        Transfers are not taken to overlap with computing. They do on real cores, in part; but
        taking them to do so wholly puts published times 20 to 40 % too low.
        """
        return self.compute + self.stream + self.latency

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(
            self.compute + other.compute,
            self.stream + other.stream,
            self.latency + other.latency,
        )


def estimate(core: Core, llvm: Llvm, blocks: Sequence[Block]) -> list[Cycles]:
    """The cycles of all executions of each block, in the order of the blocks.

    Out-of-order cores run a block into the next ones: reciprocal throughput is what it costs. On
    in-order cores what waits in a loop's body waits in every round.

    Raises:
        LlvmError: An LLVM program is missing or failed.
    """
    compute = _in_order(core, llvm, blocks) if core.in_order else _out_of_order(core, llvm, blocks)
    return [
        dataclasses.replace(_misses(core, block), compute=cycles)
        for block, cycles in zip(blocks, compute)
    ]


def _out_of_order(core: Core, llvm: Llvm, blocks: Sequence[Block]) -> list[float]:
    throughputs = llvm.throughputs(core.llvm, (block.code for block in blocks))
    return [
        max(throughputs[block.code], block.instructions / core.width) * block.executions
        for block in blocks
    ]


def _in_order(core: Core, llvm: Llvm, blocks: Sequence[Block]) -> list[float]:
    known = llvm.instructions(core.llvm, (word for block in blocks for word in block.words))

    def instructions(block: Block) -> list[Instruction]:
        return [known[word] for word in block.words]

    passes = {block: cycles_of_pass(instructions(block), core.width) for block in blocks}
    # How often a block ran as a part of a loop, and its share of a round.
    rounds: dict[Block, tuple[int, float]] = {}
    for loop in innermost_loops(blocks):
        body = [one for block in loop for one in instructions(block)]
        cycles = cycles_of_loop(body, core.width) / sum(passes[block] for block in loop)
        executions = min(block.executions for block in loop)
        for block in loop:
            rounds[block] = executions, cycles * passes[block]
    found = []
    for block in blocks:
        executions, cycles = rounds.get(block, (0, 0.0))
        found.append(executions * cycles + (block.executions - executions) * passes[block])
    return found


def _misses(core: Core, block: Block) -> Cycles:
    stream = latency = 0.0
    for (exposed, hidden), wait, line in zip(block.misses, core.latencies, core.streams):
        stream += hidden * line
        latency += exposed * max(0.0, wait - core.hidden)
    return Cycles(stream=stream, latency=latency)
