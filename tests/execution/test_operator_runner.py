from __future__ import annotations

import threading

import numpy as np
import pytest

from tests import built_models, models, running
from tflite_eq.errors import ModelError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import edit, properties
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, dequantize
from tflite_eq.simulation.twins import RealOfCodes


@pytest.mark.parametrize("name", ["residual_net", "concat_pool_net", "leaky_net", "two_input_net"])
def test_running_operator_by_operator_gives_the_whole_network(name: str) -> None:
    graph = Graph.from_bytes(models.build(name))
    sample = models.data(name)[0]
    values = dict(zip(graph.inputs, sample))
    for operator in graph.operators:
        runner = OperatorRunner(graph, operator)
        outputs = runner.run([values[i] for i in runner.feeds])
        values.update(zip(operator.outputs, outputs))
    expected = running.run(models.build(name), sample)
    for index, output in zip(graph.outputs, expected):
        np.testing.assert_allclose(values[index], output, rtol=1e-4, atol=1e-5)


def test_shapes_may_change_from_sample_to_sample() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.keras_net()))
    runner = OperatorRunner(graph, graph.operators[0])
    for batch in (1, 3, 2):
        assert len(runner.run([np.zeros((batch, 8, 8, 3), np.float32)])[0]) == batch


def test_constants_can_be_replaced_and_the_activation_dropped() -> None:
    graph = Graph.from_bytes(models.conv_net())
    operator = graph.operators[0]
    _, filters, bias = properties.linear_inputs(operator)
    zeros = np.zeros(graph.tensors[filters].shape, np.float32)
    below = np.full(graph.tensors[bias].shape, -2.5, np.float32)
    x = models.data("conv_net")[0]
    replaced = {filters: zeros, bias: below}
    assert (OperatorRunner(graph, operator, replaced, True).run(x)[0] == -2.5).all()
    assert (OperatorRunner(graph, operator, replaced).run(x)[0] == 0).all()
    # The graph itself stays as it was.
    assert graph.constant(filters).any()
    assert properties.fused_activation(operator) == "RELU"


def test_an_input_read_twice_is_fed_once() -> None:
    graph = Graph.from_bytes(models.convert(lambda x: x * x, (1, 3)))
    runner = OperatorRunner(graph, graph.operators[0])
    assert len(runner.feeds) == 1
    result = runner.run([np.array([[1, 2, 3]], np.float32)])[0]
    assert result.tolist() == [[1, 4, 9]]


def test_failure_names_the_operator() -> None:
    graph = Graph.from_bytes(models.conv_net(), "net.tflite")
    runner = OperatorRunner(graph, graph.operators[0])
    with pytest.raises(ModelError, match=r"net\.tflite: operator 0 \(CONV_2D"):
        runner.run([np.zeros((1, 12, 12, 5), np.float32)])


def test_the_root_of_nothing_is_what_kernels_for_codes_can_take() -> None:
    net = built_models.NetworkBuilder(1, 16)
    graph = Graph.from_bytes(net.finished(net.elementwise("RSQRT", net.input)))
    values = np.array([[0.0, 4.0] * 8], np.float32)
    (found,) = OperatorRunner(graph, graph.operators[0]).run([values])
    np.testing.assert_array_equal(found, [[np.inf, 0.5] * 8])


def test_results_can_be_looked_at_without_copying_them() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.keras_net()))
    runner = OperatorRunner(graph, graph.operators[0])
    images = np.random.default_rng(0).standard_normal((2, 1, 8, 8, 3)).astype(np.float32)
    seen: list[np.ndarray] = []
    for image in images:
        runner.hand_on([image], [lambda values: seen.append(values.copy())])
    for image, found in zip(images, seen):
        np.testing.assert_array_equal(found, runner.run([image])[0])


def test_results_may_be_held_for_a_moment_longer_and_not_for_good() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.keras_net()))
    runner = OperatorRunner(graph, graph.operators[0])
    image = np.ones((1, 8, 8, 3), np.float32)
    held: list[np.ndarray] = []
    runner.hand_on([image], [held.append])
    threading.Timer(0.05, held.clear).start()
    expected = runner.run([image])[0]
    runner.hand_on([image], [held.append])
    np.testing.assert_array_equal(held[0], expected)
    with pytest.raises(ModelError, match="reference to internal data"):
        runner.run([image])


def test_values_may_be_made_in_the_memory_of_the_interpreter() -> None:
    graph = edit.with_biases(Graph.from_bytes(models.keras_net()))
    runner = OperatorRunner(graph, graph.operators[0])
    codes = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 3)).astype(np.int8)
    params = AffineParams(0.1, 3)
    found = runner.run([RealOfCodes(codes, params)])[0]
    np.testing.assert_array_equal(found, runner.run([dequantize(codes, params)])[0])
