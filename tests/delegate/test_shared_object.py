"""What the library needs and what it shows: it has to load in any process, on any Linux."""

from __future__ import annotations

from pathlib import Path

from tests import elf

pytestmark = elf.needs_readelf


def test_exports_the_entry_points_alone(library: Path) -> None:
    assert elf.exports(library) == [
        "TfLiteEqDelegateCreate",
        "TfLiteEqDelegateDelete",
        "TfLiteEqDelegateOptionsDefault",
        "TfLiteEqDelegateVersion",
        "tflite_plugin_create_delegate",
        "tflite_plugin_destroy_delegate",
    ]


def test_needs_the_c_library_alone(library: Path) -> None:
    assert set(elf.needed(library)) <= {
        "libc.so.6",
        "libm.so.6",
        "libpthread.so.0",
        "ld-linux-x86-64.so.2",
    }


def test_fits_16_kib_pages(library: Path) -> None:
    alignments = elf.load_alignments(library)
    assert alignments
    assert all(alignment % 0x4000 == 0 for alignment in alignments)


def test_is_small(library: Path) -> None:
    assert library.stat().st_size < 400_000


def test_has_no_writable_code(library: Path) -> None:
    assert not elf.has_writable_code(library)
