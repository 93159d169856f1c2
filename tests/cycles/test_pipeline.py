"""In-order issue, on code whose cycles can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tools.arm64.pipeline import (
    Instruction,
    cycles_of_loop,
    cycles_of_pass,
    instruction,
    units_of,
)

# Latency and units by mnemonic, of a core with two of ``alu`` and one of the others.
_FACTS = {
    "add": (3, [("alu", 0.5)]),
    "subs": (3, [("alu", 0.5)]),
    "b.ne": (0, [("branch", 1.0)]),
    "ldr": (4, [("load", 1.0)]),
    "str": (1, [("load", 1.0)]),
    "smull": (4, [("vector", 1.0)]),
    "smlal": (4, [("vector", 1.0)]),
    "sadalp": (4, [("vector", 1.0)]),
    "fmla": (8, [("vector", 1.0)]),
}


def parsed(*texts: str) -> list[Instruction]:
    return [instruction(text, *_FACTS[text.split()[0]]) for text in texts]


@pytest.mark.parametrize(
    ("text", "reads", "writes"),
    [
        ("add x0, x1, x2", {"x1", "x2"}, {"x0"}),
        ("add w0, w0, #1", {"x0"}, {"x0"}),
        ("mov x0, sp", {"sp"}, {"x0"}),
        ("cmp x3, xzr", {"x3"}, {"flags"}),
        ("subs x0, x0, #1", {"x0"}, {"x0", "flags"}),
        ("b.ne #-20", {"flags"}, set()),
        ("cbnz w7, #-8", {"x7"}, set()),
        ("csel x0, x1, x2, eq", {"x1", "x2", "flags"}, {"x0"}),
        ("ldr q0, [x1], #16", {"x1"}, {"v0", "x1"}),
        ("ldr x0, [sp, #8]", {"sp"}, {"x0"}),
        ("ldr x0, [x1, #8]!", {"x1"}, {"x0", "x1"}),
        ("ldp q0, q1, [x2]", {"x2"}, {"v0", "v1"}),
        ("ldr s0, [x1, x2, lsl #2]", {"x1", "x2"}, {"v0"}),
        ("ld1 { v0.16b, v1.16b }, [x22], #32", {"x22"}, {"v0", "v1", "x22"}),
        ("str q0, [x1, #16]", {"v0", "x1"}, set()),
        ("stp x0, x1, [sp, #-16]!", {"x0", "x1", "sp"}, {"sp"}),
        ("prfm pldl1keep, [x5, #128]", {"x5"}, set()),
        ("fmla v0.4s, v1.4s, v2.s[1]", {"v0", "v1", "v2"}, {"v0"}),
        ("mov v19.d[1], x6", {"v19", "x6"}, {"v19"}),
        ("mov x6, v19.d[1]", {"v19"}, {"x6"}),
        ("sqxtn2 v1.8h, v2.4s", {"v1", "v2"}, {"v1"}),
        ("ext v0.16b, v1.16b, v2.16b, #8", {"v1", "v2"}, {"v0"}),
        ("ret", set(), set()),
    ],
)
def test_what_is_read_and_written(text: str, reads: set[str], writes: set[str]) -> None:
    found = instruction(text, 1, [])
    assert (found.reads, {name for name, _ in found.writes}) == (reads, writes)


def test_a_sum_is_read_last() -> None:
    found = instruction("smlal v0.8h, v1.8b, v2.8b", 4, [])
    assert (found.reads, found.sum) == ({"v1", "v2"}, "v0")


@pytest.mark.parametrize(
    ("body", "cycles"),
    [
        # Two at a time.
        (["add x0, x1, x2"] * 4, 2),
        # One unit for all of them.
        (["ldr q0, [x1]", "ldr q2, [x3]", "ldr q4, [x5]", "ldr q6, [x7]"], 4),
        # A new address can be used at once, what was loaded cannot.
        (["ldr q0, [x1], #16"], 1),
        (["ldr x0, [x0]"], 4),
        # The next plain instruction has the result of the last one.
        (["add x0, x0, x1"], 1),
        (["add x0, x0, x1", "add x0, x0, x1"], 2),
        # Sums are forwarded to accumulations of integers, but not of floats.
        (["smlal v0.8h, v1.8b, v2.8b"], 1),
        (["fmla v0.4s, v1.4s, v2.4s"], 8),
        # An accumulation waits for its other operands: smull 0, smlal 1, sadalp 5.
        (
            [
                "smull v8.8h, v0.8b, v4.8b",
                "smlal v8.8h, v1.8b, v5.8b",
                "sadalp v16.4s, v8.8h",
            ],
            6,
        ),
        # A load runs beside a vector instruction.
        ([t for n in range(8) for t in (f"fmla v{n}.4s, v9.4s, v9.4s", "ldr d18, [x0]")], 8),
        # The branch waits for the flags, and the next round begins beside it.
        (["subs x0, x0, #1", "b.ne #-4"], 1),
    ],
)
def test_cycles_of_a_round(body: Sequence[str], cycles: float) -> None:
    assert cycles_of_loop(parsed(*body), 2) == cycles


def test_a_pass_waits_for_what_it_loads_itself_only() -> None:
    assert cycles_of_pass(parsed("add x0, x1, x2"), 2) == 1
    assert cycles_of_pass(parsed("ldr x0, [x1]", "add x2, x0, x0"), 2) == 5


def test_units_of_a_kind_share_the_work() -> None:
    names = ["CoreALU.\0", "CoreALU.\1", "CoreLoad"]
    assert units_of(names, {0: 0.5, 1: 0.5}) == [("CoreALU", 0.5)]
    assert units_of(names, {0: 1.0, 1: 1.0, 2: 3.0}) == [("CoreALU", 1.0), ("CoreLoad", 3.0)]
