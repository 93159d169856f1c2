"""Compiler options of the delegate and its kernels.

The library carries no C++ runtime: no exceptions, no RTTI, no guarded statics.

The compiler is clang 19 (.bazelrc). Compared on one machine (Emerald Rapids, one thread, minimum ms per layer, all in one
run), clang 16 and 19 agree within 3 %, and gcc 12 loses most where vectors are transformed rather than multiplied: its
transforms spill and reload.

    56x56x64->64      clang 19   clang 16   gcc 12
    winograd_f43        .301       .300      .501
    winograd_1d         .283       .283      .300
    direct              .369       .370      .386
    winograd_f43 AVX2   .624       .622      .740
"""

COPTS = [
    "-O3",
    "-Wall",
    "-Wextra",
    "-fno-exceptions",
    "-fno-rtti",
    # Nothing is thrown through it, and frame pointers are enough to see who called whom.
    "-fno-asynchronous-unwind-tables",
    "-fno-threadsafe-statics",
    "-fvisibility=hidden",
]

# What need not be fast, small: the policy, and kernels without intrinsics, which are there to be compared with.
SMALL_COPTS = COPTS + ["-Oz"]

# Kernels whose tiles are unrolled in the source: -O3 unrolls no more of them, but what runs once for each row, which made a NEON
# library 13 KB larger with the same multiplications and more spills. Transforms of 2-D Winograd do need -O3.
TILED_COPTS = COPTS + ["-O2"]

# One list per instruction set; a kernel file belongs to exactly one.
AVX2_COPTS = [
    "-mavx2",
    "-mfma",
]

AVX512_VNNI_COPTS = [
    "-mavx512f",
    "-mavx512bw",
    "-mavx512dq",
    "-mavx512vl",
    "-mavx512vnni",
]

AVX512_VBMI_COPTS = AVX512_VNNI_COPTS + ["-mavx512vbmi"]

# Every aarch64 CPU has NEON. Instructions are ordered for Cortex-A53, which executes them in that order; the cores that do not care.
NEON_COPTS = ["-mtune=cortex-a53"]

# Likewise for the in-order cores that have these instructions.
NEON_DOTPROD_COPTS = [
    "-march=armv8.2-a+dotprod",
    "-mtune=cortex-a55",
]

NEON_I8MM_COPTS = [
    "-march=armv8.2-a+dotprod+i8mm",
    "-mtune=cortex-a510",
]

# What results are compared with under a fuzzer: fast, and nothing that the fuzzer should be guided by.
ORACLE_COPTS = [
    "-O2",
    "-fno-sanitize=fuzzer-no-link",
]
