"""Text for messages: in a form that any terminal and log takes, and grammatical."""

from __future__ import annotations

import collections
from collections.abc import Iterable


def printable(text: str) -> str:
    """The text with what would end a line, move a cursor or be no character as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(number: int, noun: str) -> str:
    """A number of things, e.g. ``1 operator`` or ``3 operators``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def counted_kinds(kinds: Iterable[str]) -> str:
    """How often each of some names is there, e.g. ``3 PRELU, 1 RELU``."""
    return ", ".join(f"{count:,} {kind}" for kind, count in collections.Counter(kinds).items())
