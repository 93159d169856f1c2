"""BATCH_MATMUL by a constant becomes a dense layer."""

from __future__ import annotations

import numpy as np
import pytest

from tests.built_models import NetworkBuilder
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.dense_matmuls import lowered


def product(shape, matrix, is_transposed=False, is_first_transposed=False, rng=None) -> bytes:
    rng = rng or np.random.default_rng(0)
    net = NetworkBuilder(*shape)
    values = net.constant(rng.standard_normal(matrix).astype(np.float32))
    made = _multiplied(net, net.input, shape, values, matrix, is_transposed, is_first_transposed)
    return net.finished(made)


def _multiplied(net, x, shape, values, matrix, is_transposed, is_first_transposed=False) -> int:
    rows = shape[-1] if is_first_transposed else shape[-2]
    outputs = matrix[-2] if is_transposed else matrix[-1]
    batch = np.broadcast_shapes(shape[:-2], matrix[:-2])
    options = {"adjX": is_first_transposed, "adjY": is_transposed}
    made = (*batch, rows, outputs)
    return net.operator("BATCH_MATMUL", [x, values], made, ("BatchMatMulOptions", options))


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize(
    ("shape", "lead"), [((5, 4), ()), ((2, 5, 4), (1,)), ((2, 3, 5, 4), (1, 1)), ((2, 5, 4), ())]
)
def test_of_any_rank_either_way_round(shape, lead, is_transposed: bool) -> None:
    matrix = (*lead, 3, 4) if is_transposed else (*lead, 4, 3)
    graph, change = after(product(shape, matrix, is_transposed), lowered, within=1e-5)
    assert kinds(graph) == ["FULLY_CONNECTED"]
    assert change == "1 BATCH_MATMUL by a constant made FULLY_CONNECTED"
    assert len(linear_layers(graph)[0].filters) == 3


@pytest.mark.parametrize(
    ("shape", "matrix", "is_first_transposed"),
    [
        ((2, 5, 4), (2, 4, 3), False),  # a matrix for each
        ((5, 4), (1, 4, 3), False),  # a dimension more
        ((2, 4, 5), (1, 4, 3), True),
    ],
)
def test_leaves_others_alone(shape, matrix, is_first_transposed: bool) -> None:
    data = product(shape, matrix, is_first_transposed=is_first_transposed)
    graph = Graph.from_bytes(data)
    assert lowered(graph) == (graph, None)


def test_matrix_that_two_read_is_stored_once() -> None:
    net = NetworkBuilder(1, 4, 4)
    values = net.constant(np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32))
    x = _multiplied(net, net.input, (1, 4, 4), values, (4, 4), False)
    data = net.finished(_multiplied(net, x, (1, 4, 4), values, (4, 4), False))
    graph, _ = after(data, lowered, within=1e-5)
    assert graph.operators[0].inputs[1] == graph.operators[1].inputs[1]


def test_network_without_other_weights_is_quantized() -> None:
    rng = np.random.default_rng(1)
    samples = [[rng.standard_normal((1, 5, 4)).astype(np.float32)] for _ in range(4)]
    found = kinds(Graph.from_bytes(quantize(product((1, 5, 4), (1, 4, 3)), samples).model))
    assert found == ["QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE"]
