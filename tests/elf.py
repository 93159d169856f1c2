"""What a shared library needs and what it shows, as readelf prints it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_TOOL = shutil.which("readelf") or shutil.which("llvm-readelf")

needs_readelf = pytest.mark.skipif(_TOOL is None, reason="needs readelf (binutils)")


def readelf(library: Path, *options: str) -> str:
    """Its output for ``library``."""
    assert _TOOL is not None
    command = [_TOOL, "-W", *options, str(library)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _dynamic_symbols(library: Path) -> list[tuple[str, str, bool]]:
    """(name, binding, defined) of each dynamic symbol, versions cut off."""
    symbols = []
    for line in readelf(library, "--dyn-syms").splitlines():
        columns = line.split()
        if len(columns) >= 8 and columns[0].rstrip(":").isdigit():
            symbols.append((columns[7].split("@")[0], columns[4], columns[6] != "UND"))
    assert symbols, "readelf printed no dynamic symbols"
    return symbols


def exports(library: Path) -> set[str]:
    """The functions and variables that others can link against."""
    return {name for name, _, defined in _dynamic_symbols(library) if defined}


def imports(library: Path, *, weak: bool = True) -> set[str]:
    """The symbols it wants from elsewhere."""
    return {
        name
        for name, binding, defined in _dynamic_symbols(library)
        if not defined and (weak or binding != "WEAK")
    }


def needed(library: Path) -> list[str]:
    """The libraries it is linked against."""
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf(library, "-d"))


def name_in_file(library: Path) -> str | None:
    """Its DT_SONAME."""
    found = re.search(r"\(SONAME\).*\[(.+?)\]", readelf(library, "-d"))
    return found.group(1) if found else None


def dynamic_tags(library: Path) -> set[str]:
    """The kinds of entries in its dynamic section."""
    return set(re.findall(r"^ *0x[0-9a-f]+ +\((\w+)\)", readelf(library, "-d"), re.MULTILINE))


def machine(library: Path) -> str:
    """The processor it is for."""
    return re.findall(r"Machine: +(\w+)", readelf(library, "-h"))[0]


def segments(library: Path) -> list[tuple[str, str, int]]:
    """(type, flags, alignment in bytes) of each program header."""
    pattern = r"^ +([A-Z_]+) +(?:0x[0-9a-f]+ +){5}([R ][W ][E ]) +(0x[0-9a-f]+|\d+)$"
    found = re.findall(pattern, readelf(library, "-l"), re.MULTILINE)
    return [(kind, flags.replace(" ", ""), int(alignment, 0)) for kind, flags, alignment in found]


def load_alignments(library: Path) -> list[int]:
    """The alignment in bytes of every segment that is mapped."""
    return [alignment for kind, _, alignment in segments(library) if kind == "LOAD"]


def has_writable_code(library: Path) -> bool:
    """Whether a segment, the stack included, is both writable and executable."""
    found = segments(library)
    assert [flags for kind, flags, _ in found if kind == "GNU_STACK"], "readelf printed no stack"
    return any("W" in flags and "E" in flags for _, flags, _ in found)


def is_stripped(library: Path) -> bool:
    """Whether it has neither a symbol table for linking nor debugging information."""
    sections = readelf(library, "-S")
    return ".symtab" not in sections and ".debug_" not in sections
