"""The library as a file: what it exports, what it needs, how large it is, how it is laid out. It
has to load in any process, on any Linux. Android's is held to more in tests/android."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from tests import elf

pytestmark = elf.needs_readelf

EXPORTS = {
    "tflite_plugin_create_delegate",
    "tflite_plugin_destroy_delegate",
    "TfLiteEqDelegateCreate",
    "TfLiteEqDelegateDelete",
    "TfLiteEqDelegateObserve",
    "TfLiteEqDelegateOptionsDefault",
    "TfLiteEqDelegateVersion",
}
# 400 KiB: kernels of all operators for three instruction sets, and no room for a C++ runtime.
LARGEST = 409_600
# x86 has no larger ones; Android and 64-bit ARM do.
LARGEST_PAGE = 0x1000 if platform.machine() == "x86_64" else 0x4000


def test_exports_the_entry_points_and_nothing_else(library: Path) -> None:
    assert elf.exports(library) == EXPORTS


def test_needs_the_c_library_alone(library: Path) -> None:
    needed = elf.needed(library)
    assert {name.split(".so")[0] for name in needed} <= {"libc", "libm", "libpthread"}
    assert needed


def test_imports_neither_tflite_nor_a_cpp_runtime(library: Path) -> None:
    imports = elf.imports(library, weak=False)
    assert "malloc" in imports, "imports were not read"
    foreign = re.compile(r"_Z|TfLite|tflite|__cxa_(?!finalize)|__gxx|_Unwind")
    assert [name for name in imports if foreign.match(name)] == []


def test_is_small(library: Path) -> None:
    assert library.stat().st_size <= LARGEST
    assert elf.is_stripped(library)


def test_segments_are_aligned_for_large_pages(library: Path) -> None:
    alignments = elf.load_alignments(library)
    assert len(alignments) >= 2
    assert all(alignment % LARGEST_PAGE == 0 for alignment in alignments), alignments


def test_has_no_writable_code(library: Path) -> None:
    assert not elf.has_writable_code(library)


def test_has_no_text_relocations(library: Path) -> None:
    assert "TEXTREL" not in elf.dynamic_tags(library)
