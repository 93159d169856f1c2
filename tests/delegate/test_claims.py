"""Decisions read off the library's log."""

from __future__ import annotations

import pytest

from tests.delegate.networks import quantized
from tflite_eq.delegate.validate import validate
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import preferred_runtime


@pytest.mark.parametrize("name", ["block/" + "separable_" * 30 + "conv", "größe (3x3): 2", "a\nb"])
def test_layers_have_the_names_of_the_model(name: str) -> None:
    model = schema.parse(quantized("int8"), "model")
    graph = Graph.from_bytes(quantized("int8"))
    convolutions = [o for o in graph.operators if o.kind == "CONV_2D"]
    for operator in convolutions:
        tensor = model.subgraphs[0].tensors[operator.outputs[0]]
        tensor.name = f"{operator.index} {name}".encode()
    found = validate(
        schema.serialize(model), preferred_runtime(), samples=1, options={"kernel": "direct"}
    )
    expected = [(o.index, f"{o.index} {name}") for o in convolutions]
    assert [(claim.operator, claim.name) for claim in found.claims] == expected
    assert all(claim.claimed for claim in found.claims)
