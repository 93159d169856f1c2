"""Machine code that tests are about, with the assembly it was made from."""

from __future__ import annotations

from tools.arm64.blocks import Block

NOP = 0xD503201F
ADD_X0_X1_X2 = 0x8B020020
ADD_X3_X4_X5 = 0x8B050083
SUBS_X0_X0_1 = 0xF1000400
LOAD_Q0_X1_POST_16 = 0x3CC10420
LOAD_X1_SP = 0xF94003E1
ADD_V0_4S = 0x4EA18400
SMLAL_V0_8H = 0x0E228020  # smlal v0.8h, v1.8b, v2.8b
CALL = 0x94000001  # bl to the next instruction
RETURN = 0xD65F03C0
INVALID = 0x02000000
UNDEFINED = 0x00000001  # udf: an instruction, which cores' models leave out


def branch_if_not_equal(instructions: int) -> int:
    """``b.ne`` by a number of instructions."""
    return 0x54000001 | (instructions & 0x7FFFF) << 5


def branch(instructions: int) -> int:
    """``b`` by a number of instructions."""
    return 0x14000000 | instructions & 0x3FFFFFF


def bit_test_and_branch(instructions: int) -> int:
    """``tbz x0, #0`` by a number of instructions."""
    return 0x36000000 | (instructions & 0x3FFF) << 5


def compare_and_branch(instructions: int) -> int:
    """``cbnz x0`` by a number of instructions."""
    return 0xB5000000 | (instructions & 0x7FFFF) << 5


def block(address: int, *words: int, executions: int = 1, **more: object) -> Block:
    """A block of instructions."""
    code = b"".join(word.to_bytes(4, "little") for word in words)
    return Block(address, code, executions, **more)  # type: ignore[arg-type]
