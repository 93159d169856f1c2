"""The accelerator's library as a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import elf
from tflite_eq.delegate.accelerator import NAME

pytestmark = elf.needs_readelf


@pytest.fixture
def library(folder: str) -> Path:
    return Path(folder, NAME)


def test_exports_what_the_runtime_looks_up_and_nothing_else(library: Path) -> None:
    assert elf.exports(library) == {"LiteRtAcceleratorImpl", "TfLiteEqDelegateVersion"}


def test_imports_neither_a_runtime_nor_a_cpp_runtime(library: Path) -> None:
    imports = elf.imports(library, weak=False)
    assert "malloc" in imports, "imports were not read"
    foreign = re.compile(r"_Z|TfLite|tflite|LiteRt|__cxa_(?!finalize)|__gxx|_Unwind")
    assert [name for name in imports if foreign.match(name)] == []


def test_stays_when_the_runtime_closes_it(library: Path) -> None:
    """With the environment, which models may outlive."""
    assert "NODELETE" in elf.readelf(library, "-d")
