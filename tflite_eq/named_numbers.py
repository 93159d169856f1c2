"""Fields of options that hold whole numbers by name: shapes of inputs, copies of channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tflite_eq.arguments import described, is_integer
from tflite_eq.errors import ConfigError

Pairs = tuple[tuple[str, tuple[int, ...]], ...]

# Of one channel. The rounding errors of so many take each other away but for a sixty-fourth.
MOST_COPIES = 8


class NamedNumbers:
    """A field that holds pairs of a name and numbers, of whatever form it is set to."""

    def __init__(self, checked: Callable[[str, Any], Pairs]) -> None:
        """``checked``: These pairs, from the field's name and what it is set to."""
        self._checked = checked

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Pairs:
        # Without an instance, dataclasses ask for the default.
        found: Pairs = () if instance is None else instance.__dict__[self._name]
        return found

    def __set__(
        self,
        instance: Any,
        value: Sequence[int] | Mapping[str, Sequence[int]] | Sequence[tuple[str, Sequence[int]]],
    ) -> None:
        instance.__dict__[self._name] = self._checked(self._name, value)


def named_shapes(field: str, value: Any) -> Pairs:
    """Pairs of input and shape, from one shape, a dict or pairs.

    Raises:
        ConfigError: They are something else.
    """
    pairs = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, Sequence, np.ndarray)) or isinstance(value, str):
        raise _no_shapes(field, value)
    if len(value) and all(is_integer(size) for size in pairs):
        pairs = [("", value)]
    found = {}
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _no_shapes(field, value)
        name, shape = pair
        if not isinstance(shape, (tuple, list, np.ndarray)) or not len(shape):
            raise _no_shapes(field, value)
        if not all(is_integer(size) and size > 0 for size in shape):
            raise _no_shapes(field, value)
        if name in found:
            raise ConfigError(f"{field}: two shapes for the input '{name}'; give one")
        found[name] = tuple(int(size) for size in shape)
    return tuple(found.items())


def _no_shapes(field: str, value: Any) -> ConfigError:
    return ConfigError(
        f"{field} is {described(value)}; give a shape of whole numbers above 0, such as "
        "(1, 224, 224, 3), or a dict of such shapes by the inputs' names"
    )


def named_counts(field: str, value: Any) -> Pairs:
    """Pairs of a layer's output and how often it writes each channel, from a dict or pairs.

    Raises:
        ConfigError: They are something else.
    """
    if not isinstance(value, (Mapping, tuple, list)):
        raise _no_counts(field, value)
    found = {}
    for pair in value.items() if isinstance(value, Mapping) else value:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _no_counts(field, value)
        name, counts = pair
        if not isinstance(counts, (tuple, list, np.ndarray)) or not len(counts):
            raise _no_counts(field, value)
        if not all(is_integer(count) and 1 <= count <= MOST_COPIES for count in counts):
            raise _no_counts(field, value)
        if name in found:
            raise ConfigError(f"{field}: counts are given twice for '{name}'; give them once")
        found[name] = tuple(int(count) for count in counts)
    return tuple(found.items())


def _no_counts(field: str, value: Any) -> ConfigError:
    return ConfigError(
        f"{field} is {described(value)}; give a dict of counts from 1 to {MOST_COPIES}, one for "
        "each channel, by names of layers' outputs, such as {'conv1/Relu': [1, 2, 1, 3]}"
    )
