"""Sums over blocks, by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.cycles import code
from tests.cycles.code import block
from tools.arm64.blocks import Mappings
from tools.arm64.cores import CORES, Core
from tools.arm64.estimate import Cycles, estimate
from tools.arm64.hottest import hottest
from tools.arm64.llvm import Llvm
from tools.arm64.pipeline import Instruction, instruction


class Priced(Llvm):
    """An LLVM to which all instructions are alike."""

    def throughputs(self, core: str, codes: Iterable[bytes]) -> Mapping[bytes, float]:
        return dict.fromkeys(codes, 3.0)

    def instructions(self, core: str, words: Iterable[int]) -> Mapping[int, Instruction]:
        # Each reads what the one before it writes.
        return {word: instruction("mul x0, x0, x1", 4, [("unit", 1.0)]) for word in words}

    def texts(self, words: Iterable[int]) -> Mapping[int, str | None]:
        return dict.fromkeys(words, "mul x0, x0, x1")

    def functions(self, path: Path) -> list[tuple[int, int, str]]:
        return [(0x1000, 0x10, "one"), (0x1010, 0x10, "other")]


def core(*, in_order: bool) -> Core:
    return dataclasses.replace(
        CORES["a72"],
        width=2,
        in_order=in_order,
        latencies=(10.0, 100.0),
        streams=(4.0, 40.0),
        hidden=20.0,
    )


def test_an_out_of_order_core_pays_throughput_and_what_it_cannot_hide() -> None:
    misses = ((1, 2), (3, 4))
    blocks = [
        block(0x1000, code.NOP, executions=5, misses=misses),
        block(0x1004, *[code.NOP] * 8, executions=7, misses=((0, 0), (0, 0))),
    ]
    assert estimate(core(in_order=False), Priced(), blocks) == [
        Cycles(5 * 3, 2 * 4 + 4 * 40, 3 * (100 - 20)),
        Cycles(7 * 4),  # eight instructions, two at a time
    ]


def test_an_in_order_core_waits_in_every_round() -> None:
    loop = block(0x1000, code.NOP, code.branch_if_not_equal(-1), executions=10)
    before = block(0x1008, code.NOP, code.NOP, executions=2)
    in_loop, passed = estimate(core(in_order=True), Priced(), [loop, before])
    # A round ends where the next one begins: each of its instructions waits four cycles.
    assert in_loop.compute == 10 * 8
    # From the first to the last one's issue, no longer.
    assert passed.compute == 2 * 5


def test_blocks_of_a_loop_that_ran_more_often_than_it_pay_for_the_rest() -> None:
    first = block(0x1000, code.NOP, executions=30)
    last = block(0x1004, code.NOP, code.branch_if_not_equal(-2), executions=10)
    found = estimate(core(in_order=True), Priced(), [first, last])
    # Ten rounds of three instructions, and twenty times the first block alone.
    assert sum(cycles.compute for cycles in found) == pytest.approx(10 * 12 + 20 * 1)


def test_in_order_cores_hide_nothing() -> None:
    assert [CORES[name].hidden for name in ("a53", "a55")] == [0, 0]


@pytest.mark.parametrize("name", CORES)
def test_each_place_behind_the_first_cache_has_its_cost(name: str) -> None:
    found = CORES[name]
    assert len(found.latencies) == len(found.streams) == len(found.caches)
    assert list(found.latencies) == sorted(found.latencies)
    assert list(found.streams) == sorted(found.streams)
    assert [size for size, _ in found.caches] == sorted(size for size, _ in found.caches)


def test_the_hottest_code_is_named(tmp_path: Path) -> None:
    library = tmp_path / "libany.so"
    library.touch()
    mappings = Mappings(f"00100000-00102000 r-xp 00000000 00:00 1 {library}\n")
    blocks = [
        block(0x101000, code.NOP, executions=2),
        block(0x101004, code.NOP, code.NOP, executions=3),
        block(0x101010, code.NOP, executions=1),
        block(0x101800, code.NOP, executions=1),
    ]
    cycles = [Cycles(1), Cycles(2), Cycles(9), Cycles(2)]
    found = hottest(blocks, cycles, mappings, Priced(), 3)
    assert [(hot.place, hot.cycles.total, hot.instructions) for hot in found] == [
        ("libany.so other", 9, 1),
        ("libany.so one", 3, 8),
        ("libany.so 0x1800", 2, 1),
    ]
    assert found[1].mnemonics == "2 mul"
