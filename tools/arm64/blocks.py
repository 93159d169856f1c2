"""Blocks of arm64 code that ran, as ``count_blocks.c`` writes them down."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import json
from pathlib import Path

WORD = 4  # bytes of an instruction


class Kind(enum.Enum):
    """What an instruction is."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MEMORY = "memory"
    BRANCH = "branch"


@dataclasses.dataclass(frozen=True)
class Block:
    """Instructions that run one after the other.

    Attributes:
        address: Of the first one.
        code: The instructions as they are in memory.
        executions: How often they ran.
        misses: For each place behind the first cache level, memory the last of them: lines found
            there whose latency the program sees, and lines that were prefetched or stored to.
            Empty where no caches were simulated.
    """

    address: int
    code: bytes
    executions: int
    misses: tuple[tuple[int, int], ...] = ()

    @property
    def instructions(self) -> int:
        """How many there are."""
        return len(self.code) // WORD

    @property
    def words(self) -> list[int]:
        """The instructions as numbers."""
        return [
            int.from_bytes(self.code[i : i + WORD], "little") for i in range(0, len(self.code), WORD)
        ]


def parse_blocks(line: str) -> list[Block]:
    """The blocks of one line of the plugin's output, in the order of their addresses.

    A block that was translated several times is one.
    """
    found: dict[tuple[int, str], Block] = {}
    for address, code, executions, misses in json.loads(line)["blocks"]:
        pairs = tuple(zip(misses[::2], misses[1::2]))
        block = Block(address, bytes.fromhex(code), executions, pairs)
        known = found.get((address, code))
        found[address, code] = block if known is None else _sum(known, block)
    return sorted(found.values(), key=lambda block: (block.address, block.code))


def _sum(a: Block, b: Block) -> Block:
    misses = tuple((p[0] + q[0], p[1] + q[1]) for p, q in zip(a.misses, b.misses))
    return dataclasses.replace(a, executions=a.executions + b.executions, misses=misses)


def kind_of(word: int) -> Kind:
    """The kind of an instruction.

    By the first table of the A64 instruction set (Arm Architecture Reference Manual, C4.1). Loads
    and stores of vectors are loads and stores; hints are in the class of branches.
    """
    if word >> 25 & 0x7 == 0x7:
        return Kind.VECTOR
    if word >> 25 & 0x5 == 0x4:
        return Kind.MEMORY
    if word >> 26 & 0x7 == 0x5:
        return Kind.BRANCH
    return Kind.SCALAR


def repeats(block: Block) -> bool:
    """Whether a block ends with a branch to its own beginning: the body of an innermost loop."""
    last = block.words[-1]
    if last & 0xFF000010 == 0x54000000 or last & 0x7E000000 == 0x34000000:  # b.cond, cbz, cbnz
        distance = _signed(last >> 5, 19)
    elif last & 0x7E000000 == 0x36000000:  # tbz, tbnz
        distance = _signed(last >> 5, 14)
    elif last & 0xFC000000 == 0x14000000:  # b
        distance = _signed(last, 26)
    else:
        return False
    return distance == 1 - block.instructions


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


class Mappings:
    """Which file is mapped where.

    Args:
        maps: The text of a process's ``/proc/self/maps``.
    """

    def __init__(self, maps: str) -> None:
        mapped = []
        for line in maps.splitlines():
            columns = line.split(maxsplit=5)
            start, end = (int(address, 16) for address in columns[0].split("-"))
            path = Path(columns[5]) if len(columns) > 5 else None
            mapped.append((start, end, int(columns[2], 16), path))
        self._mapped = sorted(mapped, key=lambda entry: entry[0])
        self._starts = [entry[0] for entry in self._mapped]

    def find(self, address: int) -> tuple[Path | None, int]:
        """The file that an address belongs to, if any, and the place in it or the address."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            start, end, offset, path = self._mapped[index]
            if address < end and path is not None:
                return path, address - start + offset
        return None, address

    def file(self, address: int) -> str:
        """Name of the file that an address belongs to."""
        path, _ = self.find(address)
        return path.name if path is not None else "anonymous memory"
