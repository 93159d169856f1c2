"""Decisions read off the library's log."""

from __future__ import annotations

import pytest

from tests.delegate.networks import quantized
from tflite_eq.delegate.binding import kernels
from tflite_eq.delegate.claims import Claim, insisting
from tflite_eq.delegate.described_model import operators
from tflite_eq.delegate.explain import explain
from tflite_eq.delegate.validate import validate
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import preferred_runtime


@pytest.mark.parametrize("name", ["block/" + "separable_" * 30 + "conv", "größe (3x3): 2", "a\nb"])
def test_layers_have_the_names_of_the_model(name: str) -> None:
    model = schema.parse(quantized("int8"), "model")
    graph = Graph.from_bytes(quantized("int8"))
    known = [o for o in graph.operators if o.kind in operators()]
    for operator in known:
        tensor = model.subgraphs[0].tensors[operator.outputs[0]]
        tensor.name = f"{operator.index} {name}".encode()
    found = validate(
        schema.serialize(model), preferred_runtime(), samples=1, options={"kernel": "direct"}
    )
    expected = [(o.index, o.kind, f"{o.index} {name}") for o in known]
    assert [(claim.operator, claim.kind, claim.name) for claim in found.claims] == expected
    assert all(claim.claimed for claim in found.claims if claim.kind == "CONV_2D")


@pytest.mark.parametrize("leave", [None, "^Relu_1;"])
def test_options_by_name_mean_the_same_to_explain_as_inside_a_runtime(leave: str | None) -> None:
    options = {"claim": "Conv", **({"leave": leave} if leave else {})}
    model = quantized("int8")
    found = validate(model, preferred_runtime(), samples=1, options=options).claims
    foretold = explain(Graph.from_bytes(model), kernels.Cpu.detect(), options=options)
    assert [(c.name, c.claimed) for c in foretold] == [(c.name, c.claimed) for c in found]
    left = [c.name for c in foretold if c.kind == "CONV_2D" and not c.claimed]
    assert len(left) == (leave is not None)
    assert all(name.startswith("Relu_1;") for name in left)


def test_kernels_are_read_off_reasons() -> None:
    def claim(claimed: bool, reason: str) -> Claim:
        return Claim(0, "CONV_2D", "x", claimed, reason)

    assert claim(True, "winograd_1d on avx512_vnni: asked for by name").kernel == "winograd_1d"
    assert claim(True, "1.5 times the runtime's speed by itself").kernel == ""
    assert claim(False, "direct on avx2: saves too little").kernel == ""
    assert insisting("direct") == {"kernel": "direct"}
    assert insisting("") == {"claim": "."}


def test_kernels_that_no_option_names_are_the_delegates_choice() -> None:
    for kernel in ("lines", "table", "fused"):
        assert insisting(kernel) == {"claim": "."}


def test_operators_that_are_run_as_one_are_read_off_reasons() -> None:
    reason = "one function of codes, with the nodes up to 12"
    assert Claim(9, "RELU", "x", True, reason).fused_into == 12
    assert Claim(9, "RELU", "x", False, reason).fused_into is None
    assert Claim(9, "RELU", "x", True, "8.0 times the runtime's speed by itself").fused_into is None


def test_expressions_that_match_no_layer_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    options = {"leave": "no_such_layer"}
    validate(quantized("int8"), preferred_runtime(), samples=1, options=options)
    assert 'option leave: "no_such_layer" matches none of the names' in capfd.readouterr().err
    explain(Graph.from_bytes(quantized("int8")), kernels.Cpu.detect(), options=options)
    assert 'option leave: "no_such_layer" matches none of the names' in capfd.readouterr().err
