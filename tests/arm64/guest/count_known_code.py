"""Runs a loop of a known number of instructions between the markers."""

from __future__ import annotations

import json

from tools.arm64.guest.machine_code import BEGIN, END, Function

ROUNDS = 1000
_LOOP = (
    0x14000001,  # b to the next instruction: counting is by blocks, and this begins another
    0xD2800000 | ROUNDS << 5,  # mov x0, #ROUNDS
    0xF1000400,  # subs x0, x0, #1
    0x4EA18400,  # add v0.4s, v0.4s, v1.4s
    0xF94003E1,  # ldr x1, [sp]
    0x54FFFFA1,  # b.ne to the subtraction
)


def main() -> None:
    Function(BEGIN, *_LOOP, END)()
    print(json.dumps({}))


if __name__ == "__main__":
    main()
