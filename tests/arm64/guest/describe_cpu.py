"""What programs can learn about the CPU: its features by HWCAP, its part number."""

from __future__ import annotations

import ctypes
import json
import platform
import re

_AT_HWCAP, _AT_HWCAP2 = 16, 26
_BITS = {"dotprod": (_AT_HWCAP, 20), "i8mm": (_AT_HWCAP2, 13)}


def main() -> None:
    get = ctypes.CDLL("libc.so.6").getauxval
    get.argtypes, get.restype = [ctypes.c_ulong], ctypes.c_ulong
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        parts = re.findall(r"^CPU part\s*: (\S+)$", cpuinfo.read(), re.MULTILINE)
    features = [name for name, (word, bit) in _BITS.items() if get(word) >> bit & 1]
    print(json.dumps({"machine": platform.machine(), "features": features, "parts": parts}))


if __name__ == "__main__":
    main()
