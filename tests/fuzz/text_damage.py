"""Damage to JSON: calibration records, the record inside a model, the state of a run."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from tests.fuzz.networks import Random

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 127, 128, -128, -129, 1 << 31, 1 << 63, 10**400),
    *(0.0, -0.0, 0.5, 1e-300, 1e-30, 1e30, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "x", "0", "nan", "CONV_2D", "\ud800", "\x00", "n" * 3000, "new\nline"),
    *([], {}, [0], [0, 0], [1, 2, 3], [[]], {"a": 1}, [None], [0.5] * 100),
)


def damaged_text(rng: Random, text: str) -> bytes:
    """JSON with damage to its values, its structure or its bytes."""
    choice = rng.random()
    if choice < 0.75:
        plain = json.loads(text)
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            _damage_value(rng, plain)
        return json.dumps(plain).encode()
    if choice < 0.82:
        return _repeated_keys(rng, text)
    if choice < 0.86:
        depth = int(rng.choice([10, 990, 100_000]))
        opening, closing = ("[", "]") if rng.random() < 0.5 else ('{"a":', "}")
        nested = opening * depth + "0" + closing * depth
        return _with_value(rng, text, nested).encode()
    return _bytes(rng, text.encode())


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _damage_value(rng: Random, plain: Any) -> None:
    places = list(_places(plain))
    container, key = places[int(rng.integers(len(places)))]
    choice = rng.integers(8)
    if choice == 0:
        del container[key]
    elif choice == 1 and isinstance(container, dict):
        container[("", "x", "index", "scale\n")[int(rng.integers(4))]] = container.pop(key)
    elif choice == 2 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[int(rng.integers(len(container)))]))
    elif choice == 3:
        other, other_key = places[int(rng.integers(len(places)))]
        if _is_there(other, other_key):
            container[key] = copy.deepcopy(other[other_key])
    elif choice == 4 and isinstance(container[key], (int, float)):
        container[key] *= float(rng.choice([-1, 0.1, 1.01, 1e6, 1e60]))
    elif choice == 5 and isinstance(container[key], int):
        container[key] += int(rng.choice([-1, 1]))
    else:
        container[key] = copy.deepcopy(_VALUES[int(rng.integers(len(_VALUES)))])


def _is_there(container: Any, key: Any) -> bool:
    return key in container if isinstance(container, dict) else key < len(container)


def _with_value(rng: Random, text: str, value: str) -> str:
    """The text of ``value`` in place of one number."""
    positions = [i for i, c in enumerate(text) if c.isdigit() and text[i - 1] in " ["]
    position = positions[int(rng.integers(len(positions)))]
    end = position
    while text[end] in "0123456789.e-+":
        end += 1
    return text[:position] + value + text[end:]


def _repeated_keys(rng: Random, text: str) -> bytes:
    separator = "\n" if "\n" in text else ", "
    parts = text.split(separator)
    position, source = (int(v) for v in rng.integers(1, len(parts), 2))
    parts.insert(position, parts[source])
    return separator.join(parts).encode()


def _bytes(rng: Random, content: bytes) -> bytes:
    data = bytearray(content)
    choice = rng.integers(5)
    position = int(rng.integers(len(data)))
    if choice == 0:
        del data[position:]
    elif choice == 1:
        data[position : position + 1] = rng.bytes(1)
    elif choice == 2:
        data[position:position] = b"\xff\xfe\x00"[int(rng.integers(3)) :]
    elif choice == 3:
        return b"\xef\xbb\xbf" + content
    else:
        return content.decode().encode(str(rng.choice(["utf-16", "utf-32", "latin-1"])))
    return bytes(data)
