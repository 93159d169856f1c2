"""Changing a network: what stands for what after several changes."""

from __future__ import annotations

import numpy as np

from tests.built_models import NetworkBuilder
from tests.running import run
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite

SHAPE = (2, 3)
X = [np.float32([[1, -2, 3], [-4, 5, -6]])]


def chain(*kinds: str) -> Graph:
    net = NetworkBuilder(*SHAPE)
    x = net.input
    for kind in kinds:
        x = net.elementwise(kind, x)
    return Graph.from_bytes(net.finished(x))


def kinds(graph: Graph) -> list[str]:
    return [operator.kind for operator in graph.operators]


def test_operators_in_a_row_are_taken_out_in_any_order() -> None:
    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1)):
        graph = chain("TANH", "ABS", "EXP", "NEG", "RELU")
        rewrite = Rewrite(graph)
        for position in order:
            operator = graph.operators[position]
            rewrite.bypass(operator, operator.inputs[0])
        made = rewrite.graph()
        assert kinds(made) == ["TANH", "RELU"]
        (found,) = run(schema.serialize(made.model), X)
        np.testing.assert_allclose(found, np.maximum(np.tanh(X[0]), 0), rtol=1e-6)


def test_last_ones_taken_out_leave_the_outputs_name() -> None:
    graph = chain("TANH", "ABS", "EXP")
    rewrite = Rewrite(graph)
    for operator in graph.operators[1:]:
        rewrite.bypass(operator, operator.inputs[0])
    made = rewrite.graph()
    assert kinds(made) == ["TANH"]
    names = [network.tensors[network.outputs[0]].name for network in (graph, made)]
    assert names[0] == names[1]


def test_operators_that_are_put_in_read_what_stands_for_their_operands() -> None:
    graph = chain("TANH", "ABS", "EXP")
    rewrite = Rewrite(graph)
    rewrite.bypass(graph.operators[1], graph.operators[1].inputs[0])
    last = graph.operators[2]
    rewrite.replace(last, "NEG", last.inputs, options=("NegOptions", {}))
    made = rewrite.graph()
    assert kinds(made) == ["TANH", "NEG"]
    assert made.operators[1].inputs == made.operators[0].outputs


def test_network_it_starts_from_stays() -> None:
    graph = chain("TANH", "ABS", "EXP")
    before = schema.serialize(graph.model)
    rewrite = Rewrite(graph)
    rewrite.bypass(graph.operators[1], graph.operators[1].inputs[0])
    rewrite.set_constant(graph.operators[0].outputs[0], np.ones(SHAPE, np.float32))
    rewrite.remove(graph.operators[0])
    rewrite.graph()
    assert schema.serialize(graph.model) == before
