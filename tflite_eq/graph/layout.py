"""Whether the tables, vectors and strings of a ``.tflite`` file lie inside it.

Readers of flatbuffers follow offsets without looking where they lead: native ones crash, Python's
wraps round to the end of the file, and a few bytes that say so make either unpack one table a
million times. So everything is walked once before anybody unpacks it. The layout of a flatbuffer:
https://flatbuffers.dev/internals. Tables of operators' options are looked at as tables; their
fields are scalars and vectors of these, which Python's reader cannot leave the file with.
"""

from __future__ import annotations

import struct
from typing import Union

# As many as TFLite's own verifier follows. Besides, a table and the offset that leads to it take
# eight bytes: where there are twice as many, offsets lead to the same one again and again.
_MOST_TABLES = 1_000_000
_BYTES_PER_TABLE = 4

# Strings are copied where they are read; a file that shares one has room for so much more.
_SHARED_TEXT = 1 << 26

_UINT16 = struct.Struct("<H")
_INT32 = struct.Struct("<i")
_UINT32 = struct.Struct("<I")


class _Vector:
    """A vector of scalars with so many bytes each."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Tables:
    """A vector of offsets to tables."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Table:
    """An offset to a table."""

    def __init__(self, name: str) -> None:
        self.name = name


_STRING = "string"
_OPTIONS = _Table("")  # of any kind

# Fields in the order of the schema: sizes of scalars, or what an offset leads to.
_Field = Union[int, str, _Vector, _Tables, _Table]
_SCHEMA: dict[str, tuple[_Field, ...]] = {
    "": (),
    "Model": (
        *(4, _Tables("OperatorCode"), _Tables("SubGraph"), _STRING, _Tables("Buffer")),
        *(_Vector(4), _Tables("Metadata"), _Tables("SignatureDef"), _Tables(""), _Tables("")),
    ),
    "OperatorCode": (1, _STRING, 4, 4),
    "SubGraph": (_Tables("Tensor"), _Vector(4), _Vector(4), _Tables("Operator"), _STRING),
    "Tensor": (
        *(_Vector(4), 1, 4, _STRING, _Table("QuantizationParameters"), 1),
        *(_Table("SparsityParameters"), _Vector(4), 1, _Tables("VariantSubType")),
    ),
    "QuantizationParameters": (*(_Vector(4), _Vector(4), _Vector(4), _Vector(8), 1, _OPTIONS, 4),),
    "SparsityParameters": (_Vector(4), _Vector(4), _Tables("DimensionMetadata")),
    "DimensionMetadata": (1, 4, 1, _OPTIONS, 1, _OPTIONS),
    "VariantSubType": (_Vector(4), 1, 1),
    "Operator": (
        *(4, _Vector(4), _Vector(4), 1, _OPTIONS, _Vector(1), 1, _Vector(1), _Vector(4), 8, 8),
        *(1, _OPTIONS),
    ),
    "Buffer": (_Vector(1), 8, 8),
    "Metadata": (_STRING, 4),
    "SignatureDef": (_Tables("TensorMap"), _Tables("TensorMap"), _STRING, 4, 4),
    "TensorMap": (_STRING, 4),
}


class LayoutError(ValueError):
    """Something lies outside the file, or is there too often; says what and where."""


def check_layout(data: bytes | bytearray | memoryview) -> None:
    """Follow every offset of a ``.tflite`` file once.

    Args:
        data: The whole file, at least eight bytes.

    Raises:
        LayoutError: An offset leads out of the file, or there are more tables than any model has.
    """
    _Walk(data).run()


def _outside(what: str) -> LayoutError:
    return LayoutError(f"{what} lies outside the file")


class _Walk:
    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = data
        self._end = len(data)
        self._tables = 0
        self._most_tables = min(_MOST_TABLES, self._end // _BYTES_PER_TABLE)
        self._text = 0

    def run(self) -> None:
        self._table("Model", self._target(0, "the model"))

    def _table(self, name: str, position: int) -> None:
        self._tables += 1
        if self._tables > self._most_tables:
            raise LayoutError(f"it unpacks to more than {self._most_tables:,} tables")
        shown = name or "options"
        # The distance may be negative: tables lie before or behind what describes them.
        description = position - self._read(_INT32, position, shown)
        size = self._read(_UINT16, description, shown)
        extent = self._read(_UINT16, description + 2, shown)
        if size < 4 or size % 2 or description + size > self._end:
            raise _outside(f"the description of a table ({shown}) at byte {description}")
        if extent < 4 or position + extent > self._end:
            raise _outside(f"a table ({shown}) at byte {position}")
        fields = _SCHEMA[name]
        for number in range((size - 4) // 2):
            start = self._read(_UINT16, description + 4 + 2 * number, shown)
            if not start:
                continue
            if start >= extent:
                raise _outside(f"field {number} of a table ({shown}) at byte {position}")
            if number < len(fields):
                self._field(fields[number], position + start, shown)

    def _field(self, field: _Field, position: int, shown: str) -> None:
        if isinstance(field, int):
            self._check(position, field, shown)
            return
        target = self._target(position, shown)
        if isinstance(field, _Table):
            self._table(field.name, target)
            return
        count = self._read(_UINT32, target, shown)
        if isinstance(field, _Tables):
            self._check(target + 4, 4 * count, field.name)
            for number in range(count):
                self._table(field.name, self._target(target + 4 + 4 * number, field.name))
        elif isinstance(field, _Vector):
            self._check(target + 4, field.size * count, shown)
        else:
            self._check(target + 4, count + 1, shown)  # a zero ends it
            self._text += count
            if self._text > self._end + _SHARED_TEXT:
                raise LayoutError("it unpacks to more text than the whole file holds")

    def _target(self, position: int, shown: str) -> int:
        """Where an offset at a position leads."""
        return position + self._read(_UINT32, position, shown)

    def _read(self, form: struct.Struct, position: int, shown: str) -> int:
        self._check(position, form.size, shown)
        value: int = form.unpack_from(self._data, position)[0]
        return value

    def _check(self, position: int, size: int, shown: str) -> None:
        if position < 0 or position + size > self._end:
            raise _outside(f"what a table ({shown}) refers to, at byte {position},")
