"""Networks with one thing broken, for tests of what refuses them."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests import built_models
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

Change = Callable[[Any], None]


def broken(change: Change, model: bytes | None = None) -> bytes:
    """A network that ``change`` has edited: the object API of the flatbuffer, in place."""
    parsed = schema.parse(built_models.conv_net() if model is None else model)
    change(parsed)
    return schema.serialize(parsed)


def refused(change: Change, *words: str, model: bytes | None = None) -> str:
    """The message with which a network is refused; all words must be in it."""
    with pytest.raises(ModelError) as caught:
        Graph.from_bytes(broken(change, model), "net.tflite")
    message = str(caught.value)
    assert message.startswith("net.tflite")
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message, message
    return message


def operator_of(model: Any, kind: str) -> Any:
    """The first operator of a kind."""
    return next(
        operator
        for operator in model.subgraphs[0].operators
        if schema.operator_kind(model.operatorCodes[operator.opcodeIndex]) == kind
    )
