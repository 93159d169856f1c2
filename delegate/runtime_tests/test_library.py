"""The shared library as a file: what it exports, what it needs, how large it is, how it is laid
out."""

import os
import re
import shutil
import subprocess

import pytest

EXPORTS = {
    "tflite_plugin_create_delegate",
    "tflite_plugin_destroy_delegate",
    "TfLiteEqDelegateCreate",
    "TfLiteEqDelegateDelete",
    "TfLiteEqDelegateObserve",
    "TfLiteEqDelegateOptionsDefault",
    "TfLiteEqDelegateVersion",
}
# 290 KB on x86-64. Room for one more instruction set, not for a C++ runtime.
LARGEST = 448 << 10
# Android 15 loads libraries on pages of 16 KB.
LARGEST_PAGE = 0x4000


@pytest.fixture(scope="module")
def readelf(delegate_path):
    tool = shutil.which("readelf") or shutil.which("llvm-readelf")
    if tool is None:
        pytest.skip("needs readelf")

    def run(*options):
        return subprocess.run(
            [tool, "-W", *options, delegate_path], capture_output=True, text=True, check=True
        ).stdout

    return run


@pytest.fixture(scope="module")
def dynamic_symbols(readelf):
    """(name, binding, defined) of each dynamic symbol, versions cut off."""
    symbols = []
    for line in readelf("--dyn-syms").splitlines():
        columns = line.split()
        if len(columns) >= 8 and columns[0].rstrip(":").isdigit():
            symbols.append((columns[7].split("@")[0], columns[4], columns[6] != "UND"))
    assert symbols, "readelf printed no dynamic symbols"
    return symbols


def test_exports_the_entry_points_and_nothing_else(dynamic_symbols):
    assert {name for name, _, defined in dynamic_symbols if defined} == EXPORTS


def test_needs_the_c_library_alone(readelf):
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf("-d"))
    # libm.so.6 and libc.so.6 with glibc, libm.so and libc.so on Android.
    assert {name.split(".so")[0] for name in needed} <= {"libc", "libm"}
    assert needed


def test_imports_neither_tflite_nor_a_cpp_runtime(dynamic_symbols):
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


def test_is_small(delegate_path, readelf):
    assert os.path.getsize(delegate_path) < LARGEST
    assert ".symtab" not in readelf("-S"), "not stripped"


def test_segments_are_aligned_for_large_pages(readelf):
    alignments = [
        int(line.split()[-1], 16)
        for line in readelf("-l").splitlines()
        if line.split()[:1] == ["LOAD"]
    ]
    assert len(alignments) >= 2
    assert all(alignment >= LARGEST_PAGE for alignment in alignments), alignments


def test_stack_is_not_executable(readelf):
    (stack,) = (line for line in readelf("-l").splitlines() if line.split()[:1] == ["GNU_STACK"])
    assert " RW " in stack, stack


def test_has_no_text_relocations(readelf):
    assert "TEXTREL" not in readelf("-d")
