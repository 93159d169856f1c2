"""Blocks as the counting plugin writes them, and the loops they make up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cycles import code
from tests.cycles.code import block
from tools.arm64.blocks import (
    Block,
    Kind,
    Mappings,
    branch_target,
    innermost_loops,
    kind_of,
    parse_blocks,
)


def test_a_block_that_was_translated_twice_is_one() -> None:
    line = {
        "blocks": [
            [4096, "c0035fd6", 3, [1, 2, 3, 4]],
            [0, "1f2003d5", 1, [0, 0, 0, 0]],
            [4096, "c0035fd6", 2, [10, 20, 30, 40]],
            [4096, "1f2003d5", 7, [0, 0, 0, 1]],  # the same place with other code
        ]
    }
    ret, nop = code.RETURN.to_bytes(4, "little"), code.NOP.to_bytes(4, "little")
    assert parse_blocks(json.dumps(line)) == [
        Block(0, nop, 1, ((0, 0), (0, 0))),
        Block(4096, nop, 7, ((0, 0), (0, 1))),
        Block(4096, ret, 5, ((11, 22), (33, 44))),
    ]


def test_blocks_without_caches() -> None:
    (found,) = parse_blocks('{"blocks": [[8, "1f2003d5c0035fd6", 2, []]]}')
    assert (found.misses, found.instructions, found.end) == ((), 2, 16)
    assert found.words == [code.NOP, code.RETURN]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        (code.ADD_X0_X1_X2, Kind.SCALAR),
        (code.SUBS_X0_X0_1, Kind.SCALAR),
        (code.ADD_V0_4S, Kind.VECTOR),
        (code.SMLAL_V0_8H, Kind.VECTOR),
        (code.LOAD_Q0_X1_POST_16, Kind.MEMORY),
        (code.LOAD_X1_SP, Kind.MEMORY),
        (code.RETURN, Kind.BRANCH),
        (code.branch_if_not_equal(-3), Kind.BRANCH),
    ],
)
def test_kinds_of_instructions(word: int, kind: Kind) -> None:
    assert kind_of(word) is kind


@pytest.mark.parametrize(
    "make",
    [
        code.branch,
        code.branch_if_not_equal,
        code.compare_and_branch,
        code.bit_test_and_branch,
    ],
)
@pytest.mark.parametrize("distance", [-1, -7, 1, 500])
def test_targets_of_direct_branches(make, distance: int) -> None:
    found = block(0x1000, code.NOP, code.NOP, make(distance))
    assert branch_target(found) == 0x1008 + 4 * distance


@pytest.mark.parametrize("last", [code.RETURN, code.CALL, code.NOP])
def test_other_ends_have_no_target(last: int) -> None:
    assert branch_target(block(0x1000, last)) is None


def test_a_loop_of_one_block() -> None:
    body = block(0x1004, code.NOP, code.branch_if_not_equal(-1), executions=9)
    before = block(0x1000, code.NOP, code.NOP, code.branch_if_not_equal(-1))
    after = block(0x100C, code.RETURN)
    assert innermost_loops([before, body, after]) == [[body]]


def test_a_loop_of_several_blocks() -> None:
    first = block(0x1000, code.NOP, code.branch_if_not_equal(20), executions=5)
    second = block(0x1008, code.NOP, executions=5)  # ends with a page
    third = block(0x100C, code.NOP, code.branch(-4), executions=5)
    assert innermost_loops([third, first, second]) == [[first, second, third]]


def test_of_nested_loops_the_inner_one() -> None:
    outer = block(0x1000, code.NOP, executions=3)
    inner = block(0x1004, code.NOP, code.branch_if_not_equal(-1), executions=30)
    end = block(0x100C, code.NOP, code.branch_if_not_equal(-4), executions=3)
    assert innermost_loops([outer, inner, end]) == [[inner]]


def test_a_loop_with_a_gap_is_none() -> None:
    first = block(0x1000, code.NOP, executions=5)
    last = block(0x1008, code.NOP, code.branch(-3), executions=5)  # 0x1004 never ran
    assert innermost_loops([first, last]) == []


def test_addresses_in_files() -> None:
    mappings = Mappings(
        "00001000-00002000 r--p 00000000 00:00 1 /lib/libone.so\n"
        "00002000-00003000 r-xp 00001000 00:00 1 /lib/libone.so\n"
        "00005000-00006000 rw-p 00000000 00:00 0\n"
        "00007000-00008000 r-xp 00003000 00:00 2 /lib/with a space.so\n"
    )
    assert mappings.find(0x2010) == (Path("/lib/libone.so"), 0x1010)
    assert mappings.file(0x7001) == "with a space.so"
    for outside in (0x0, 0x3000, 0x5001, 0x8000):
        assert mappings.find(outside) == (None, outside)
        assert mappings.file(outside) == "anonymous memory"
