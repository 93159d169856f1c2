"""Decisions read off the library's log."""

from __future__ import annotations

import pytest

from tests.delegate.networks import quantized
from tflite_eq.delegate.binding import kernels
from tflite_eq.delegate.explain import explain
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


@pytest.mark.parametrize("leave", [None, "^Relu_1;"])
def test_options_by_name_mean_the_same_to_explain_as_inside_a_runtime(leave: str | None) -> None:
    options = {"claim": "Conv", **({"leave": leave} if leave else {})}
    model = quantized("int8")
    found = validate(model, preferred_runtime(), samples=1, options=options).claims
    foretold = explain(Graph.from_bytes(model), kernels.Cpu.detect(), options=options)
    assert [(c.name, c.claimed) for c in foretold] == [(c.name, c.claimed) for c in found]
    assert sum(c.claimed for c in foretold) == len(foretold) - (leave is not None)


def test_expressions_that_match_no_layer_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    options = {"leave": "no_such_layer"}
    validate(quantized("int8"), preferred_runtime(), samples=1, options=options)
    assert 'option leave: "no_such_layer" matches the name of none' in capfd.readouterr().err
    explain(Graph.from_bytes(quantized("int8")), kernels.Cpu.detect(), options=options)
    assert 'option leave: "no_such_layer" matches the name of none' in capfd.readouterr().err
