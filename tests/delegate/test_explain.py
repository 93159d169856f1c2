"""What the delegate would do with a model, told by the stand-in for a runtime."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest

from tests.delegate import every_operator, inside, networks
from tests.golden import operators as vectors
from tflite_eq.delegate.binding import kernels
from tflite_eq.delegate.claims import Claim
from tflite_eq.delegate.described_model import ModelNode, NodeTensor, operators, select
from tflite_eq.delegate.explain import explain
from tflite_eq.delegate.process import call_apart
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Runtime, available_runtimes

KNOWN = operators()
CASES = [case for case in every_operator.cases() if case.kind in KNOWN]

OPTIONS: list[dict[str, str]] = [{"claim": "."}, {}, {"kernel": "direct"}]


def explained(model: bytes, options: dict[str, str]) -> list[Claim]:
    return explain(Graph.from_bytes(model), kernels.Cpu.detect(), options=options)


def test_every_operator_of_the_library_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(KNOWN)
    assert list(KNOWN) == sorted(KNOWN)


def test_every_operator_of_the_library_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/delegate.md").read_text()
    table = text.partition("These kinds it knows")[2].partition("For convolutions:")[0]
    assert set(re.findall(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z][A-Z0-9]{2,}", table)) == set(KNOWN)


def test_every_operator_of_the_library_is_held_to_three_runtimes() -> None:
    convolutions = {"CONV_2D", "DEPTHWISE_CONV_2D"}  # have files of their own
    assert {case.operator for case in vectors.read()} | convolutions == set(KNOWN)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}-{c.output_shape}")
def test_parameters_and_constants_are_handed_over(case: every_operator.Case) -> None:
    """The ADD behind it is refused where the operator's output has another shape than it should."""
    operator, add = explained(case.model(), {"claim": "."})
    assert (operator.kind, operator.name, add.kind) == (case.kind, "output", "ADD")
    assert operator.claimed, operator.reason
    assert add.claimed, add.reason


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda r: r.name)
def test_every_operator_is_explained_as_it_is_decided_inside_a_runtime(runtime: Runtime) -> None:
    models = [case.model() for case in CASES]
    for options, found in call_apart("decisions", inside.decisions, runtime, models, OPTIONS):
        for case, model, decided in zip(CASES, models, found):
            assert explained(model, options) == decided, case


def test_only_what_is_known_is_decided_on() -> None:
    graph = Graph.from_bytes(networks.quantized("int8"))
    found = explain(graph, kernels.Cpu.detect())
    expected = [(o.index, o.kind) for o in graph.operators if o.kind in KNOWN]
    assert [(claim.operator, claim.kind) for claim in found] == expected
    counts = collections.Counter(claim.kind for claim in found)
    assert (counts["CONV_2D"], counts["DEPTHWISE_CONV_2D"], counts["ADD"]) == (7, 1, 1)


def test_variables_are_left_to_the_runtime() -> None:
    (case,) = [case for case in CASES if case.kind == "HARD_SWISH"]
    model = schema.parse(case.model())
    model.subgraphs[0].tensors[0].isVariable = True
    refused = explained(schema.serialize(model), {"claim": "."})[0]
    assert (refused.claimed, refused.reason) == (False, "input is a variable")


def test_sparse_weights_are_left_to_the_runtime() -> None:
    case = next(case for case in CASES if case.kind == "CONV_2D")
    tensors = [
        NodeTensor("INT8", (1, 4, 4, 1), scales=[0.1], zero_points=[0]),
        NodeTensor("INT8", (1, 1, 1, 1), scales=[0.1], zero_points=[0], data=b"x", sparse=True),
        NodeTensor("INT8", (1, 4, 4, 1), scales=[0.1], zero_points=[0]),
    ]
    assert case.options is not None
    node = ModelNode("CONV_2D", [0, 1], [2], case.options[1])
    (found,) = select(tensors, [node], kernels.Cpu.detect(), options={"claim": "."})
    assert (found.claimed, found.reason) == (False, "filter is sparse")


def test_options_of_another_type_are_named() -> None:
    with pytest.raises(ValueError, match="CONV_2D: option strideW has a value of another type"):
        ModelNode("CONV_2D", [0, 1], [2], {"strideW": "2"})
