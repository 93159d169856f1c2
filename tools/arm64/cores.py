"""Cores whose cycles are estimated: pipelines, caches, and what a miss costs.

Sizes are those of the core on a board that benchmarks of other runtimes are published for. What is
behind the first cache was measured by others, with tinymembench, which times random reads beyond
the first level's latency; the files are in github.com/ThomasKaiser/sbc-bench, folder results:

========== ============================================ ==========================================
a53        Raspberry Pi 3B+, BCM2837B0, 1.4 GHz         1iI5.txt
a55        ROCK 5B, RK3588, 1.8 GHz                     41BH.txt, cpu0
a72        Raspberry Pi 4B, BCM2711, 1.8 GHz            3F9C.txt
a76        Raspberry Pi 5, BCM2712, 2.4 GHz             41BH.txt, cpu4: the same core on RK3588
n2         a server at 2.7 GHz                          as a76, with the core's own sizes
========== ============================================ ==========================================

The latency of a level is that of blocks that fill it, of memory that of 16 MB, so that page walks
are in it as programs have them. What a prefetched line takes is 64 bytes at the bandwidth of
``memcpy``, which reads and writes, hence twice its figure; between caches it is the width of the
core's port (Technical Reference Manuals: 16 bytes a cycle, 32 from A76 on).
"""

from __future__ import annotations

import dataclasses

from tools.arm64.emulation import (
    CORTEX_A53,
    CORTEX_A55,
    CORTEX_A72,
    CORTEX_A76,
    NEOVERSE_N2,
    Cpu,
)


@dataclasses.dataclass(frozen=True)
class Core:
    """A core and the memory behind it.

    Attributes:
        board: What has it.
        cpu: What is emulated.
        llvm: The model that LLVM has for it.
        width: Instructions that it decodes in a cycle. LLVM counts what is dispatched, which is
            more from A76 on.
        in_order: Whether instructions wait for those before them.
        gigahertz: Clock of the board.
        caches: Bytes and ways of the data caches, the first level first.
        latencies: Cycles that a read takes longer from each place behind the first level, memory
            last.
        streams: Cycles a prefetched line takes from each of them.
        error: Estimates over times that were published for the board, the least and the most of
            ncnn's three networks in float and int8 (docs/arm64.md); ``None``: none are known.
        hidden: Cycles of a latency for which the core finds something else to do: instructions
            that wait in the reorder buffer, over the width (interval analysis: Karkhanis and
            Smith, ISCA 2004).
    """

    cpu: Cpu
    board: str
    llvm: str
    width: int
    in_order: bool
    gigahertz: float
    caches: tuple[tuple[int, int], ...]
    latencies: tuple[float, ...]
    streams: tuple[float, ...]
    hidden: float
    error: tuple[float, float] | None = None


def _nanoseconds(gigahertz: float, *times: float) -> tuple[float, ...]:
    return tuple(time * gigahertz for time in times)


def _streams(gigahertz: float, port: int, memcpy: float, caches: int) -> tuple[float, ...]:
    """Of caches by the port's bytes in a cycle, of memory by memcpy's GB/s."""
    return (*[64 / port] * (caches - 1), 64 * gigahertz / (2 * memcpy))


_KB, _MB = 1 << 10, 1 << 20

CORES = {
    "a53": Core(
        CORTEX_A53,
        "Raspberry Pi 3B+",
        "cortex-a53",
        width=2,
        in_order=True,
        gigahertz=1.4,
        caches=((32 * _KB, 4), (512 * _KB, 16)),
        latencies=_nanoseconds(1.4, 11.1, 161.2),
        streams=_streams(1.4, 16, 1.23, 2),
        hidden=0,
        error=(0.83, 1.27),
    ),
    "a55": Core(
        CORTEX_A55,
        "ROCK 5B",
        "cortex-a55",
        width=2,
        in_order=True,
        gigahertz=1.8,
        caches=((32 * _KB, 4), (128 * _KB, 4), (2 * _MB, 16)),
        latencies=_nanoseconds(1.8, 3.0, 14.7, 109.5),
        streams=_streams(1.8, 16, 6.1, 3),
        hidden=0,
    ),
    "a72": Core(
        CORTEX_A72,
        "Raspberry Pi 4B",
        "cortex-a72",
        width=3,
        in_order=False,
        gigahertz=1.8,
        caches=((32 * _KB, 2), (1 * _MB, 16)),
        latencies=_nanoseconds(1.8, 11.9, 134.9),
        streams=_streams(1.8, 16, 2.24, 2),
        hidden=128 / 3,
        error=(0.72, 1.14),
    ),
    "a76": Core(
        CORTEX_A76,
        "Raspberry Pi 5",
        "neoverse-n1",
        width=4,
        in_order=False,
        gigahertz=2.4,
        caches=((64 * _KB, 4), (512 * _KB, 8), (2 * _MB, 16)),
        latencies=_nanoseconds(2.35, 4.0, 13.2, 104.7),
        streams=_streams(2.35, 32, 10.8, 3),
        hidden=128 / 4,
        error=(0.88, 1.04),
    ),
    "n2": Core(
        NEOVERSE_N2,
        "server",
        "neoverse-n2",
        width=5,
        in_order=False,
        gigahertz=2.7,
        caches=((64 * _KB, 4), (1 * _MB, 8), (2 * _MB, 16)),
        latencies=_nanoseconds(2.7, 4.0, 13.2, 104.7),
        streams=_streams(2.7, 32, 10.8, 3),
        hidden=160 / 5,
    ),
}
