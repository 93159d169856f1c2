"""The library that goes to phones, as a file: every Android from 5.0 on has to load it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from delegate.android.testing import stand_in_ndk
from tests import elf
from tests.android.conftest import REPOSITORY
from tests.delegate.test_shared_object import EXPORTS

pytestmark = elf.needs_readelf

LARGEST = 350 * 1024
LARGEST_PAGE = 0x4000


def test_is_for_arm64(android_library: Path) -> None:
    assert elf.machine(android_library) == "AArch64"


def test_is_small_and_stripped(android_library: Path) -> None:
    assert android_library.stat().st_size <= LARGEST
    assert elf.is_stripped(android_library)


def test_imports_what_android_5_exports(android_library: Path) -> None:
    symbols = stand_in_ndk.read_symbols(stand_in_ndk.SYMBOLS)
    exported = {name for names in symbols.values() for name in names}
    imported = elf.imports(android_library)
    assert "malloc" in imported, "imports were not read"
    assert imported - exported == set(), "not in bionic_symbols.txt; see there"


def test_needs_androids_own_libraries_alone(android_library: Path) -> None:
    needed = elf.needed(android_library)
    assert set(needed) <= {"libc.so", "libm.so", "libdl.so", "liblog.so"}
    assert "libc.so" in needed


def test_exports_the_entry_points_and_what_java_looks_up(android_library: Path) -> None:
    assert elf.exports(android_library) == EXPORTS | {"JNI_OnLoad"}


def test_library_for_litert_2_has_what_the_other_has(tmp_path: Path) -> None:
    package = REPOSITORY / "bazel-android-bin/delegate/android/tflite_eq_accelerator.aar"
    if not package.is_file():
        pytest.skip(f"{package} is not built: make test-android")
    with zipfile.ZipFile(package) as archive:
        library = Path(archive.extract("jni/arm64-v8a/libLiteRtGpuAccelerator.so", tmp_path))
    assert elf.exports(library) == {"LiteRtAcceleratorImpl", "TfLiteEqDelegateVersion"}
    assert elf.name_in_file(library) == "libLiteRtGpuAccelerator.so"
    for check in (
        test_is_for_arm64,
        test_is_small_and_stripped,
        test_imports_what_android_5_exports,
        test_needs_androids_own_libraries_alone,
        test_segments_are_aligned_for_16_kib_pages,
        test_has_no_indirect_functions,
    ):
        check(library)


def test_segments_are_aligned_for_16_kib_pages(android_library: Path) -> None:
    alignments = elf.load_alignments(android_library)
    assert len(alignments) >= 2
    assert all(alignment % LARGEST_PAGE == 0 for alignment in alignments), alignments


def test_has_what_androids_loader_insists_on(android_library: Path) -> None:
    tags = elf.dynamic_tags(android_library)
    assert elf.name_in_file(android_library) == "libtflite_eq_delegate.so"
    assert "TEXTREL" not in tags
    assert "HASH" in tags, "Android 5 knows no other hash table"
    assert not tags & {"RELR", "ANDROID_RELA", "ANDROID_RELR"}, "later loaders' relocations"
    assert not elf.has_writable_code(android_library)
    kinds = {kind for kind, _, _ in elf.segments(android_library)}
    assert "GNU_RELRO" in kinds
    assert "TLS" not in kinds, "thread_local needs Android 10"


def test_has_no_indirect_functions(android_library: Path) -> None:
    assert "IRELATIV" not in elf.readelf(android_library, "-r")
