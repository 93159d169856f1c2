"""Static shapes are those of the network at the sizes of its inputs."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests import models
from tests.normalization.networks import Builder, opened
from tests.running import run, sqnr_db
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.shapes import settled


def phases() -> bytes:
    """A network whose batch is not that of its input half way through."""
    net = Builder(1, 12, 12, 4)
    x = net.space_to_batch(net.input, (2, 2), [(2, 2), (2, 2)])
    x = net.max_pool(net.convolution(x))  # the pool keeps the phases from becoming a dilation
    return net.finished(net.batch_to_space(x, (2, 2), [(0, 0), (0, 0)]))


def test_a_batch_that_is_not_the_inputs() -> None:
    before = Graph.from_bytes(phases())
    graph, change = settled(Graph.from_bytes(opened(phases(), 0)))
    assert change == "shapes settled for an input of [1, 12, 12, 4]"
    for operator in graph.operators:
        (made,) = operator.outputs
        assert graph.tensors[made].shape == before.tensors[made].shape
        assert graph.signature(made) == (-1, *before.tensors[made].shape[1:])


def test_open_sizes_get_those_that_the_input_has() -> None:
    data = opened(phases(), 0, 1, 2)
    model = Graph.from_bytes(data).model
    model.subgraphs[0].tensors[0].shape = [1, 20, 16, 4]
    graph, _ = settled(Graph(model))
    end = graph.outputs[0]
    assert graph.tensors[end].shape == (1, 10, 8, 4)
    assert graph.signature(end) == (-1, -1, -1, 4)


def test_what_depends_on_an_open_size_is_marked_as_open() -> None:
    model = Graph.from_bytes(opened(phases(), 0)).model
    model.subgraphs[0].tensors[Graph(model).operators[1].outputs[0]].shapeSignature = None
    graph, _ = settled(Graph(model))
    assert graph.signature(graph.operators[1].outputs[0])[0] == -1


def test_nothing_is_open_behind_fixed_inputs() -> None:
    model = Graph.from_bytes(opened(phases(), 0)).model
    model.subgraphs[0].tensors[0].shapeSignature = None
    graph, _ = settled(Graph(model))
    assert not any(tensor.dynamic for tensor in graph.tensors)
    assert graph.tensors[graph.operators[0].outputs[0]].shape[0] == 4


def test_leaves_fixed_shapes_alone() -> None:
    graph = Graph.from_bytes(phases())
    assert settled(graph) == (graph, None)


def test_what_is_behind_an_operator_that_cannot_be_run_stays_as_it_is() -> None:
    net = Builder(1, 12, 12, 4)
    x = net.space_to_batch(net.input, (2, 2), [(2, 2), (2, 2)])
    data = opened(net.finished(net.custom("Unknown", x, b"")), 0)
    graph, _ = settled(Graph.from_bytes(data))
    first, custom = graph.operators
    assert graph.tensors[first.outputs[0]].shape == (4, 8, 8, 4)
    assert graph.tensors[custom.outputs[0]].shape == (1, 8, 8, 4)


def test_a_network_that_cannot_be_run_at_these_sizes_stays_as_it_is() -> None:
    net = Builder(1, 12, 12, 4)
    graph = Graph.from_bytes(opened(net.finished(net.max_pool(net.convolution(net.input))), 1, 2))
    assert settled(graph) == (graph, None)


def dense_on_pixels(x):
    return tf.keras.layers.Dense(5)(tf.keras.layers.Conv2D(4, 3, activation="relu")(x))


def dense_on_steps(x):
    x = tf.keras.layers.Conv2D(4, 3, activation="relu")(x)
    return tf.keras.layers.Dense(5)(tf.keras.layers.Reshape((-1, 8))(x))


def dilated_convolutions(x):
    x = tf.keras.layers.Conv2D(8, 3, dilation_rate=2, activation="relu")(x)
    x = tf.keras.layers.Conv2D(8, 3, dilation_rate=3, padding="same", activation="relu")(x)
    return tf.keras.layers.GlobalAveragePooling2D()(x)


def dilated_steps(x):
    x = tf.keras.layers.Reshape((144, 3))(x)
    return tf.keras.layers.Conv1D(8, 3, dilation_rate=2, padding="causal", activation="relu")(x)


@pytest.mark.parametrize(
    "network", [dense_on_pixels, dense_on_steps, dilated_convolutions, dilated_steps]
)
def test_keras_networks_with_their_open_batch(network) -> None:
    tf.keras.utils.set_random_seed(3)
    inputs = tf.keras.Input((12, 12, 3))
    data = models.convert_keras(inputs, network(inputs))
    result = quantize(data, models.samples((1, 12, 12, 3)))
    (batch,) = models.samples((5, 12, 12, 3), count=1, seed=9)
    (expected,), (found,) = run(data, batch), run(result.model, batch)
    assert found.shape == expected.shape
    assert sqnr_db(expected, found) > 20
