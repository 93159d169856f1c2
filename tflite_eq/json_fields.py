"""JSON that people edit: read without surprises, its fields checked for presence and type."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar

V = TypeVar("V")

_TYPE_NAMES: dict[type[Any], str] = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "a string",
    dict: "an object in braces",
}


def parse_json(text: str | bytes) -> Any:
    """What JSON holds.

    Raises:
        ValueError: It is no JSON, is nested deeper than Python reads, or an object names a field
            twice: the reader would take the last one without a word.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field '{twice}' is there twice")
    return fields


def known_fields(entry: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """A copy of the entry, which has all fields of a record and no other.

    Raises:
        ValueError: It has not.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object in braces, found {json.dumps(entry)[:60]}")
    fields = dataclasses.fields(kind)
    unknown = entry.keys() - {field.name for field in fields}
    missing = {f.name for f in fields if f.default is dataclasses.MISSING} - entry.keys()
    if unknown or missing:
        problem = [f"unknown field '{n}'" for n in sorted(unknown)]
        problem += [f"field '{n}' is missing" for n in sorted(missing)]
        raise ValueError(", ".join(problem))
    return dict(entry)


def typed(value: Any, kind: type[V], field: str) -> V:
    """A JSON value of a type; a whole number will do for a float.

    Raises:
        ValueError: It is another type: Python would turn 3.7 into 3 without a word.
    """
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise ValueError(f"{field} has more digits than a number can") from None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{field} is {json.dumps(value)[:60]}, expected {_TYPE_NAMES[kind]}")
    if isinstance(value, str) and not _is_text(value):
        raise ValueError(f"{field} is {json.dumps(value)[:60]}, which is no text")
    return value


def _is_text(value: str) -> bool:
    """Whether it can be written anywhere; JSON can name halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def typed_pair(value: Any, kind: type[V], field: str) -> tuple[V, V]:
    """Two JSON values of a type.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{field} is {json.dumps(value)[:60]}, expected two numbers in brackets")
    return typed(value[0], kind, field), typed(value[1], kind, field)


def typed_list(value: Any, kind: type[V], field: str) -> list[V]:
    """Any number of JSON values of a type.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, list):
        raise ValueError(f"{field} is {json.dumps(value)[:60]}, expected a list in brackets")
    return [typed(item, kind, f"{field}[{i}]") for i, item in enumerate(value)]
