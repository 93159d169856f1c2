"""The wire format of protocol buffers, read without the messages' descriptions.

Reading a SavedModel's or a frozen graph's outline this way takes milliseconds; the generated
classes come with TensorFlow, which takes seconds to import.
https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

Value = Union[int, memoryview]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class WireError(ValueError):
    """The bytes are no message, or are cut off."""


def fields(message: bytes | memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message in their order, by number.

    Yields:
        The field's number, and its value: an integer, or the bytes of what has a length.

    Raises:
        WireError: Where the bytes stop making sense; the fields in front have been yielded.
    """
    view = memoryview(message)
    position = 0
    while position < len(view):
        key, position = _varint(view, position)
        number, kind = key >> 3, key & 7
        if not number:
            raise WireError("a field with the number 0")
        if kind == _VARINT:
            value, position = _varint(view, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _varint(view, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise WireError(f"a field of the unknown kind {kind}")
        if position + size > len(view):
            raise WireError("a field beyond the end")
        yield number, view[position : position + size]
        position += size


def texts(message: bytes | memoryview, number: int) -> list[str]:
    """All strings under a number.

    Raises:
        WireError: The bytes are no message, or something else is under that number.
    """
    return [text(value) for found, value in fields(message) if found == number]


def parts(message: bytes | memoryview, number: int) -> list[memoryview]:
    """All messages under a number.

    Raises:
        WireError: The bytes are no message, or something else is under that number.
    """
    return [part(value) for found, value in fields(message) if found == number]


def part(value: Value) -> memoryview:
    """A field's value as the bytes of a message."""
    if isinstance(value, int):
        raise WireError("a number where a message belongs")
    return value


def text(value: Value) -> str:
    """A field's value as a string."""
    try:
        return bytes(part(value)).decode()
    except UnicodeDecodeError as error:
        raise WireError("a string that is not UTF-8") from error


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(view[position : position + _LONGEST_VARINT]):
        value |= (byte & 127) << (7 * count)
        if byte < 128:
            return value, position + count + 1
    raise WireError("a number without an end")
