"""What the library needs and what it shows: it has to load in any process, on any Linux."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf (binutils)")


def readelf(library: Path, *options: str) -> str:
    command = ["readelf", "--wide", *options, str(library)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_exports_the_entry_points_alone(library: Path) -> None:
    symbols = readelf(library, "--dyn-syms")
    defined = re.findall(r"(?:FUNC|OBJECT) +GLOBAL DEFAULT +\d+ (\w+)", symbols)
    assert sorted(defined) == [
        "TfLiteEqDelegateCreate",
        "TfLiteEqDelegateDelete",
        "TfLiteEqDelegateObserve",
        "TfLiteEqDelegateOptionsDefault",
        "TfLiteEqDelegateVersion",
        "tflite_plugin_create_delegate",
        "tflite_plugin_destroy_delegate",
    ]


def test_needs_the_c_library_alone(library: Path) -> None:
    needed = re.findall(r"NEEDED.*\[(.*)\]", readelf(library, "--dynamic"))
    assert set(needed) <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}


def test_fits_16_kib_pages(library: Path) -> None:
    loads = re.findall(r"^ +LOAD .* (0x[0-9a-f]+)$", readelf(library, "--segments"), re.MULTILINE)
    assert loads
    assert all(int(alignment, 16) % 0x4000 == 0 for alignment in loads)


def test_is_small(library: Path) -> None:
    assert library.stat().st_size < 400_000


def test_has_no_writable_code(library: Path) -> None:
    segments = readelf(library, "--segments")
    assert "RWE" not in segments
    assert re.search(r"GNU_STACK.* RW ", segments)
