"""In-order pipelines: instructions issue one after the other, and wait for what they read.

LLVM knows each instruction's latency and the units it keeps busy; its own simulation of in-order
cores however lets instructions only finish in the order in which they began, so that whatever
follows a load waits for it. The cores it describes do not: they wait where a result is read. That
is what is simulated here. Two facts that LLVM's tables do not tell are from Arm's Cortex-A55
Software Optimization Guide: results of plain integer instructions can be read in the next cycle,
and a multiplication's sum is forwarded to the next accumulation, which reads it last.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

_REGISTER = re.compile(r"\b(?:([xw])(\d+|zr)|([vqdshb])(\d+)|(sp))\b")
# Their first operand is read as well as written.
_READS_RESULT = re.compile(
    r"[su]?(?:ml[as]l?2?|ml[as])|fml[as]l?2?|sqdml[as]l2?|sqrdml[as]h|[su]dot|usdot|[su]mmla|usmmla|"
    r"[su]adalp|[su]abal?2?|\w*tn2|\w*tun2|\w*hn2|fcvtn2|bsl|bit|bif|tbx|s[lr]i|u?s?r?sra|movk|bfi|bfxil"
)
_FORWARDS = re.compile(
    r"[su]ml[as]l2?|ml[as]|[su]mull2?|mul|[su]adalp|[su]dot|[su]mmla|usdot|usmmla"
)
_NO_RESULT = re.compile(
    r"cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmp|b|b\.\w+|br|blr?|ret|cbn?z|tbn?z|prfm|hint|nop"
)
_SETS_FLAGS = re.compile(r"adds|subs|ands|bics|negs|adcs|sbcs|cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmp")
_READS_FLAGS = re.compile(r"b\.\w+|cs\w+|cin[cv]|cneg|fcsel|adcs?|sbcs?|ngcs?|ccm[pn]|fccmp")
_PLAIN = re.compile(
    r"add|sub|adds|subs|and|ands|orr|eor|eon|orn|bics?|neg|mvn|mov[nzk]?|cmp|cmn|tst|ccm[pn]|cs\w+|"
    r"cin[cv]|cneg|adrp?|lsl|lsr|asr|ror|extr|sxt\w|uxt\w|[su]?bf\w+|sbfiz|ubfiz"
)
_FORWARDED = 1


@dataclasses.dataclass(frozen=True)
class Instruction:
    """What the pipeline has to know of an instruction.

    Attributes:
        latency: Cycles until its result can be read.
        units: Units it keeps busy, and for how many cycles.
        reads: Registers it waits for.
        writes: Registers it writes, and the cycles until each can be read.
        sum: The register that it accumulates in, if any.
        forwards: Whether its result is forwarded to accumulations.
    """

    units: tuple[tuple[str, float], ...]
    reads: frozenset[str]
    writes: tuple[tuple[str, float], ...]
    sum: str | None = None
    forwards: bool = False


def instruction(text: str, latency: float, units: Sequence[tuple[str, float]]) -> Instruction:
    """An instruction by its assembly as LLVM prints it."""
    mnemonic, _, operands = text.partition(" ")
    outside, bracket, inside = operands.partition("[x" if "[x" in operands else "[sp")
    memory = bool(bracket) and mnemonic.startswith(("ld", "st", "prf"))
    if not memory:
        outside = operands
    registers = _registers(outside)
    reads: set[str] = set()
    writes: dict[str, float] = {}
    total = None
    if memory:
        address = _registers(bracket + inside)
        reads.update(address)
        if mnemonic.startswith("ld"):
            writes.update(dict.fromkeys(registers, latency))
        else:
            reads.update(registers)
        if "]," in inside or inside.endswith("!"):
            writes[address[0]] = _FORWARDED
    elif _NO_RESULT.fullmatch(mnemonic):
        reads.update(registers)
    elif registers:
        first = operands.split(",")[0]
        plain = _PLAIN.fullmatch(mnemonic) and registers[0][0] in "xs"
        writes[registers[0]] = _FORWARDED if plain else latency
        reads.update(registers[1:])
        # A part of a vector: the rest stays.
        if _READS_RESULT.fullmatch(mnemonic) or "[" in first:
            if _FORWARDS.fullmatch(mnemonic):
                total = registers[0]
            else:
                reads.add(registers[0])
    if _SETS_FLAGS.fullmatch(mnemonic):
        writes["flags"] = _FORWARDED
    if _READS_FLAGS.fullmatch(mnemonic):
        reads.add("flags")
    forwards = bool(_FORWARDS.fullmatch(mnemonic))
    return Instruction(tuple(units), frozenset(reads), tuple(writes.items()), total, forwards)


def _registers(text: str) -> list[str]:
    found = []
    for scalar, number, _, vector, stack in _REGISTER.findall(text):
        if scalar and number != "zr":
            found.append(f"x{number}")
        elif vector:
            found.append(f"v{vector}")
        elif stack:
            found.append("sp")
    return found


_ROUNDS = 8


def cycles_of_loop(body: Sequence[Instruction], width: int) -> float:
    """Cycles of one round of a loop among many."""
    times = _issue(body, width, 2 * _ROUNDS)
    return (times[-1] - times[_ROUNDS - 1]) / _ROUNDS


def cycles_of_pass(code: Sequence[Instruction], width: int) -> float:
    """Cycles until the last of some instructions has issued, if all they read is there."""
    return _issue(code, width, 1)[0]


def _issue(code: Sequence[Instruction], width: int, rounds: int) -> list[float]:
    """When the last instruction of each round has issued, in cycles from 0."""
    ready: dict[str, float] = {}
    forwarded: dict[str, float] = {}
    busy: dict[str, float] = {}
    cycle, issued, ends = 0, 0, []
    for _ in range(rounds):
        for one in code:
            earliest = max((ready.get(name, 0.0) for name in one.reads), default=0.0)
            if one.sum is not None:
                earliest = max(earliest, forwarded.get(one.sum, ready.get(one.sum, 0.0)))
            if issued == width or earliest > cycle:
                cycle, issued = max(cycle + 1, _ceiling(earliest)), 0
            # A unit that several of are there of has room for a part of a cycle.
            while any(busy.get(unit, 0.0) >= cycle + 1 for unit, _ in one.units):
                cycle, issued = cycle + 1, 0
            issued += 1
            for unit, time in one.units:
                busy[unit] = max(busy.get(unit, 0.0), float(cycle)) + time
            for name, latency in one.writes:
                ready[name] = cycle + latency
                forwarded.pop(name, None)
                if one.forwards and name[0] == "v":
                    forwarded[name] = cycle + _FORWARDED
        ends.append(float(cycle + 1))
    return ends


def _ceiling(value: float) -> int:
    return -int(-value // 1)


def units_of(names: Sequence[str], usage: Mapping[int, float]) -> list[tuple[str, float]]:
    """Cycles that an instruction keeps each kind of unit busy.

    Args:
        names: Of all units; those of a kind differ behind a full stop.
        usage: Cycles by index, on average over units of a kind that an instruction may choose.
    """
    kinds = [name.split(".")[0] for name in names]
    found: dict[str, float] = {}
    for index, time in usage.items():
        found[kinds[index]] = found.get(kinds[index], 0.0) + time / kinds.count(kinds[index])
    return sorted(found.items())
