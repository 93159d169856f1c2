"""Reads memory line by line between the markers, from the first to the last one, twice."""

from __future__ import annotations

import ctypes
import json
import mmap

from tools.arm64.guest.machine_code import BEGIN, END, Function

BYTES = 64 * 1024


def main() -> None:
    memory = mmap.mmap(-1, BYTES)
    memory.write(bytes(BYTES))
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    set_x1 = [
        # movz, then movk for the other quarters of the address
        (0xD2800001 if n == 0 else 0xF2800001 | n << 21) | (address >> 16 * n & 0xFFFF) << 5
        for n in range(4)
    ]
    walk = [
        *set_x1,
        0xD2800000 | (BYTES // 64) << 5,  # mov x0, #lines
        0xF8440422,  # ldr x2, [x1], #64
        0xF1000400,  # subs x0, x0, #1
        0x54FFFFC1,  # b.ne to the load
    ]
    Function(BEGIN, 0x14000001, *walk, *walk, END)()
    print(json.dumps({}))


if __name__ == "__main__":
    main()
