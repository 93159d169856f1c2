"""The benchmark program for phones, as a file. Built by
``bazel build --config=android_arm64 //delegate/benchmark:eq_benchmark``."""

from __future__ import annotations

from pathlib import Path

import pytest

from delegate.android.testing import stand_in_ndk
from tests import elf
from tests.android.conftest import REPOSITORY

pytestmark = elf.needs_readelf


@pytest.fixture(scope="module")
def program() -> Path:
    path = REPOSITORY / "bazel-android-bin/delegate/benchmark/eq_benchmark"
    if not path.is_file():
        pytest.skip(f"{path} is not built: make test-android")
    return path


def test_is_a_program_for_android_on_arm64(program: Path) -> None:
    assert elf.machine(program) == "AArch64"
    assert "/system/bin/linker64" in elf.readelf(program, "-l")
    assert elf.is_stripped(program)
    assert not elf.has_writable_code(program)


def test_is_position_independent(program: Path) -> None:
    """Android starts no others."""
    assert "Type: DYN" in " ".join(elf.readelf(program, "-h").split())


def test_imports_what_android_5_exports(program: Path) -> None:
    symbols = stand_in_ndk.read_symbols(stand_in_ndk.SYMBOLS, stand_in_ndk.SYMBOLS_OF_PROGRAMS)
    exported = {name for names in symbols.values() for name in names}
    imported = elf.imports(program)
    assert "malloc" in imported, "imports were not read"
    assert imported - exported == set(), "not in bionic_symbols_of_programs.txt; see there"


def test_needs_androids_own_libraries_alone(program: Path) -> None:
    assert set(elf.needed(program)) <= {"libc.so", "libm.so", "libdl.so", "liblog.so"}


def test_segments_are_aligned_for_16_kib_pages(program: Path) -> None:
    alignments = elf.load_alignments(program)
    assert len(alignments) >= 2
    assert all(alignment % 0x4000 == 0 for alignment in alignments), alignments
