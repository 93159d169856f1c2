"""What a shared library needs and what it shows, as readelf (binutils) prints it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

needs_readelf = pytest.mark.skipif(
    shutil.which("readelf") is None, reason="no readelf: apt-get install binutils"
)


def readelf(library: Path, *options: str) -> str:
    """Its output for ``library``."""
    command = ["readelf", "--wide", *options, str(library)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def exports(library: Path) -> list[str]:
    """The functions and variables others can link against."""
    symbols = readelf(library, "--dyn-syms")
    pattern = r"(?:FUNC|OBJECT) +(?:GLOBAL|WEAK) +DEFAULT +\d+ (\w+)"
    return sorted(re.findall(pattern, symbols))


def imports(library: Path) -> list[str]:
    """The symbols it wants from elsewhere, weak ones included."""
    symbols = readelf(library, "--dyn-syms")
    return sorted(re.findall(r"(?:GLOBAL|WEAK) +DEFAULT +UND (\w+)", symbols))


def needed(library: Path) -> list[str]:
    """The libraries it is linked against."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(library, "--dynamic"))


def dynamic_tags(library: Path) -> set[str]:
    """The kinds of entries in its dynamic section."""
    return set(re.findall(r"^ 0x[0-9a-f]+ \((\w+)\)", readelf(library, "--dynamic"), re.MULTILINE))


def load_alignments(library: Path) -> list[int]:
    """The alignment in bytes of every segment that is mapped."""
    loads = re.findall(r"^ +LOAD .* (0x[0-9a-f]+)$", readelf(library, "--segments"), re.MULTILINE)
    return [int(alignment, 16) for alignment in loads]


def has_writable_code(library: Path) -> bool:
    """Whether a segment, the stack included, is both writable and executable."""
    segments = readelf(library, "--segments")
    return "RWE" in segments or re.search(r"GNU_STACK.* RW ", segments) is None
