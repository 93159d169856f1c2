"""The library as a file: what it exports, what it needs, how large it is, how it is laid out. It
has to load in any process, on any Linux and on Android."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable

import pytest

EXPORTS = {
    "tflite_plugin_create_delegate",
    "tflite_plugin_destroy_delegate",
    "TfLiteEqDelegateCreate",
    "TfLiteEqDelegateDelete",
    "TfLiteEqDelegateOptionsDefault",
    "TfLiteEqDelegateVersion",
}
# 290 KB on x86-64. Room for one more instruction set, not for a C++ runtime.
LARGEST = 400_000
# Android 15 loads libraries on pages of 16 KB.
LARGEST_PAGE = 0x4000

Readelf = Callable[..., str]


@pytest.fixture(scope="module")
def readelf(library: Path) -> Readelf:
    tool = shutil.which("readelf") or shutil.which("llvm-readelf")
    if tool is None:
        pytest.skip("needs readelf (binutils)")

    def run(*options: str) -> str:
        command = [tool, "-W", *options, str(library)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    return run


@pytest.fixture(scope="module")
def dynamic_symbols(readelf: Readelf) -> list[tuple[str, str, bool]]:
    """(name, binding, defined) of each dynamic symbol, versions cut off."""
    symbols = []
    for line in readelf("--dyn-syms").splitlines():
        columns = line.split()
        if len(columns) >= 8 and columns[0].rstrip(":").isdigit():
            symbols.append((columns[7].split("@")[0], columns[4], columns[6] != "UND"))
    assert symbols, "readelf printed no dynamic symbols"
    return symbols


def test_exports_the_entry_points_and_nothing_else(
    dynamic_symbols: list[tuple[str, str, bool]],
) -> None:
    assert {name for name, _, defined in dynamic_symbols if defined} == EXPORTS


def test_needs_the_c_library_alone(readelf: Readelf) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf("-d"))
    # libm.so.6 and libc.so.6 with glibc, libm.so and libc.so on Android.
    assert {name.split(".so")[0] for name in needed} <= {"libc", "libm"}
    assert needed


def test_imports_neither_tflite_nor_a_cpp_runtime(
    dynamic_symbols: list[tuple[str, str, bool]],
) -> None:
    imports = [
        name for name, binding, defined in dynamic_symbols if not defined and binding == "GLOBAL"
    ]
    assert "malloc" in imports, "imports were not read"
    foreign = [
        name
        for name in imports
        if re.match(r"_Z|TfLite|tflite|__cxa_(?!finalize)|__gxx|_Unwind", name)
    ]
    assert foreign == []


def test_is_small(library: Path, readelf: Readelf) -> None:
    assert library.stat().st_size < LARGEST
    assert ".symtab" not in readelf("-S"), "not stripped"


def test_segments_are_aligned_for_large_pages(readelf: Readelf) -> None:
    alignments = [
        int(line.split()[-1], 16)
        for line in readelf("-l").splitlines()
        if line.split()[:1] == ["LOAD"]
    ]
    assert len(alignments) >= 2
    assert all(alignment % LARGEST_PAGE == 0 for alignment in alignments), alignments


def test_has_no_writable_code(readelf: Readelf) -> None:
    segments = readelf("-l")
    assert "RWE" not in segments
    (stack,) = (line for line in segments.splitlines() if line.split()[:1] == ["GNU_STACK"])
    assert " RW " in stack, stack


def test_has_no_text_relocations(readelf: Readelf) -> None:
    assert "TEXTREL" not in readelf("-d")
