"""Blocks of arm64 code that ran, as ``count_blocks.c`` writes them down."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence
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
    def end(self) -> int:
        """The address behind the last one."""
        return self.address + len(self.code)

    @property
    def words(self) -> list[int]:
        """The instructions as numbers."""
        return words_of(self.code)


def words_of(code: bytes) -> list[int]:
    """The instructions of machine code as numbers."""
    return [int.from_bytes(code[i : i + WORD], "little") for i in range(0, len(code), WORD)]


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


def branch_target(block: Block) -> int | None:
    """Where the direct branch at a block's end goes; ``None`` if it ends otherwise.

    Calls are none of these: what is called comes back.
    """
    last = block.words[-1]
    if last & 0xFF000010 == 0x54000000 or last & 0x7E000000 == 0x34000000:  # b.cond, cbz, cbnz
        distance = _signed(last >> 5, 19)
    elif last & 0x7E000000 == 0x36000000:  # tbz, tbnz
        distance = _signed(last >> 5, 14)
    elif last & 0xFC000000 == 0x14000000:  # b
        distance = _signed(last, 26)
    else:
        return None
    return block.end - WORD + distance * WORD


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


# Longer ones are no innermost loops of anything.
_LONGEST_LOOP = 500


def innermost_loops(blocks: Sequence[Block]) -> list[list[Block]]:
    """The bodies of innermost loops: blocks that follow on each other, the last one branching back.

    Emulation cuts code at every branch and every page, so that a body may be several blocks. A
    block belongs to one loop at most.
    """
    at = {block.address: block for block in sorted(blocks, key=lambda block: block.executions)}
    loops: list[list[Block]] = []
    taken: set[int] = set()
    for last in at.values():
        target = branch_target(last)
        if target is None or target > last.address:
            continue
        body = _body(at, target, last)
        if body and not taken.intersection(block.address for block in body):
            taken.update(block.address for block in body)
            loops.append(body)
    return loops


def _body(at: Mapping[int, Block], start: int, last: Block) -> list[Block]:
    """The blocks from an address to ``last``; none if there are gaps or loops between."""
    body: list[Block] = []
    address, length = start, 0
    while address <= last.address:
        block = at.get(address)
        if block is None or length > _LONGEST_LOOP:
            return []
        body.append(block)
        if block is last:
            return body
        back = branch_target(block)
        if back is not None and back <= block.address:
            return []
        address, length = block.end, length + block.instructions
    return []


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
            mapped.append((start, end, path))
        self._mapped = sorted(mapped, key=lambda entry: entry[0])
        self._starts = [start for start, _, _ in self._mapped]
        self._begins: dict[Path, int] = {}
        for start, _, path in self._mapped:
            if path is not None:
                self._begins.setdefault(path, start)

    def find(self, address: int) -> tuple[Path | None, int]:
        """The file that an address belongs to, if any, and the address that its symbols have.

        The latter is the distance from where the file begins in memory.
        """
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            _, end, path = self._mapped[index]
            if address < end and path is not None:
                return path, address - self._begins[path]
        return None, address

    def file(self, address: int) -> str:
        """Name of the file that an address belongs to."""
        path, _ = self.find(address)
        return path.name if path is not None else "anonymous memory"
