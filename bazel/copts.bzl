"""Compiler options of the delegate and its kernels.

The library carries no C++ runtime: no exceptions, no RTTI, no guarded statics.
"""

COPTS = [
    "-O3",
    "-Wall",
    "-Wextra",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-fvisibility=hidden",
]

# One list per instruction set; a kernel file belongs to exactly one.
AVX2_COPTS = ["-mavx2"]

AVX512_VNNI_COPTS = [
    "-mavx512f",
    "-mavx512bw",
    "-mavx512dq",
    "-mavx512vl",
    "-mavx512vnni",
]
