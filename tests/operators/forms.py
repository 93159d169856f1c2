"""What forms of several operators have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.operators.builder import Draw
from tflite_eq.graph import schema

ANY_RANK = range(1, 7)
Options = dict[str, Any]


def activation(draw: Draw, names: Sequence[str] = ("NONE", "RELU", "RELU6")) -> int:
    """Code of a fused activation function."""
    return int(getattr(schema.schema().ActivationFunctionType, draw.one(names)))


def broadcast(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose values serve all of a shape."""
    ones = tuple(draw.one([1, size]) for size in shape)
    return draw.one([shape, shape, ones, shape[-1:], (1,), shape[draw.number(0, len(shape) - 1) :]])
