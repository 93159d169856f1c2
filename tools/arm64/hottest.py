"""Where the cycles of an inference go: the hottest code, by symbol where there is one."""

from __future__ import annotations

import bisect
import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tools.arm64.blocks import Block, Mappings
from tools.arm64.estimate import Cycles
from tools.arm64.llvm import Llvm

_COMMON = 3  # mnemonics that tell what a block does


@dataclasses.dataclass(frozen=True)
class Hot:
    """Code that takes a share of the cycles.

    Attributes:
        place: File and symbol, or file and address where there is no symbol: stripped libraries
            have those of what they export.
        cycles: Of all its executions.
        instructions: Executed instructions.
        mnemonics: The most frequent ones, with their numbers in the hottest block.
    """

    place: str
    cycles: Cycles
    instructions: int
    mnemonics: str


def hottest(
    blocks: Sequence[Block], cycles: Sequence[Cycles], mappings: Mappings, llvm: Llvm, count: int
) -> list[Hot]:
    """The code with the most cycles, the most first.

    Args:
        blocks: What ran.
        cycles: Of each block.
        mappings: Where it is from.
        llvm: Lists symbols and disassembles.
        count: How many.
    """
    symbols: dict[Path, _Symbols] = {}
    places: dict[str, list[tuple[Block, Cycles]]] = {}
    for block, spent in zip(blocks, cycles):
        path, address = mappings.find(block.address)
        if path is None:
            place = f"{address:#x}"
        else:
            if path not in symbols:
                symbols[path] = _Symbols(path, llvm)
            place = f"{path.name} {symbols[path].name(address) or hex(address)}"
        places.setdefault(place, []).append((block, spent))
    found = []
    for place, entries in places.items():
        total = sum((spent for _, spent in entries), Cycles())
        first, _ = max(entries, key=lambda entry: entry[1].total)
        instructions = sum(block.instructions * block.executions for block, _ in entries)
        found.append((total, place, instructions, first))
    found.sort(key=lambda entry: (-entry[0].total, entry[1]))
    return [
        Hot(place, total, instructions, _mnemonics(block, llvm))
        for total, place, instructions, block in found[:count]
    ]


def _mnemonics(block: Block, llvm: Llvm) -> str:
    texts = llvm.texts(block.words)
    counts = Counter((texts[word] or "?").split()[0] for word in block.words)
    return ", ".join(f"{number} {name}" for name, number in counts.most_common(_COMMON))


class _Symbols:
    """The functions of a file."""

    def __init__(self, path: Path, llvm: Llvm) -> None:
        self._functions = llvm.functions(path) if path.is_file() else []
        self._starts = [start for start, _, _ in self._functions]

    def name(self, address: int) -> str | None:
        """The function that an address is in."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            start, size, name = self._functions[index]
            if address < start + size:
                return name
        return None
