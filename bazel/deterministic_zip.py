"""Writes a zip archive (a jar, an AAR) whose bytes depend on its contents alone.

usage: deterministic_zip.py OUTPUT [--tree FOLDER] [NAME=FILE ...]

Entries are those of FOLDER, by name, and then the named ones in the order given. NAME= without a
file is an empty entry.
"""

from __future__ import annotations

import argparse
import os
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip archive can hold
ORDINARY_FILE = 0o100644 << 16


def write(output: Path, entries: list[tuple[str, bytes]]) -> None:
    """Writes ``entries``, names with their contents, to ``output``."""
    unfinished = output.with_name(output.name + ".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name, contents in entries:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where Python runs on something else
            entry.external_attr = ORDINARY_FILE
            archive.writestr(entry, contents, compresslevel=9)
    os.replace(unfinished, output)


def files_of(tree: Path) -> list[tuple[str, bytes]]:
    """Every file below ``tree``, by name."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    return [(path.relative_to(tree).as_posix(), path.read_bytes()) for path in files]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--tree", type=Path)
    parser.add_argument("entries", nargs="*", metavar="NAME=FILE")
    arguments = parser.parse_args()
    entries = files_of(arguments.tree) if arguments.tree else []
    for entry in arguments.entries:
        name, _, source = entry.partition("=")
        entries.append((name, Path(source).read_bytes() if source else b""))
    write(arguments.output, entries)


if __name__ == "__main__":
    main()
