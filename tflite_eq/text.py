"""Text from files and runtimes in a form that any terminal and log takes."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with what would end a line, move a cursor or be no character as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def counted(count: int, noun: str) -> str:
    """A number of things: ``"1 constant"``, ``"2 constants"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
