"""Networks run again with changed values, against the same network in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models
from tests.guard import networks
from tflite_eq.execution.altered_network import AlteredNetwork
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared

Array = npt.NDArray[Any]


def in_numpy(graph: Graph, x: Array, rounded: int = -1, added: float = 0.0) -> list[Array]:
    """Values of all layers; input ``rounded`` to whole numbers, the first output moved."""
    values, found = x.astype(np.float64), []
    for position, layer in enumerate(linear_layers(graph).values()):
        if position == rounded:
            values = np.round(values)
        values = values @ layer.filters.T.astype(np.float64) + layer.bias_values
        if position < 2:
            values = np.maximum(values, 0)
        if position == 0:
            values = values + added
        found.append(values)
    return found


def test_changed_values_reach_all_that_depends_on_them() -> None:
    graph = prepared(networks.planted(), "m").front
    outputs = [layer.output for layer in linear_layers(graph).values()]
    [x] = networks.arrays(1, seed=4)
    network = AlteredNetwork(graph)
    values = network.run({graph.inputs[0]: x[np.newaxis]})
    before = {index: value.copy() for index, value in values.items()}
    for index, exact in zip(outputs, in_numpy(graph, x)):
        np.testing.assert_allclose(values[index][0], exact, rtol=1e-4, atol=1e-4)

    changed = {outputs[0]: values[outputs[0]] + np.float32(0.5)}
    found = network.run_with(values, changed, outputs)
    for value, exact in zip(found, in_numpy(graph, x, added=0.5)):
        np.testing.assert_allclose(value[0], exact, rtol=1e-4, atol=1e-4)
    for index, value in before.items():
        np.testing.assert_array_equal(values[index], value)


def test_what_is_computed_anew_can_be_changed_again() -> None:
    graph = prepared(networks.planted(), "m").front
    layers = list(linear_layers(graph).values())
    [x] = networks.arrays(1, seed=4)
    network = AlteredNetwork(graph)
    values = network.run({graph.inputs[0]: x[np.newaxis]})

    def again(tensor: int, value: Array) -> Array:
        return np.round(value) if tensor == layers[1].input else value

    same = {graph.inputs[0]: values[graph.inputs[0]]}
    [found] = network.run_with(values, same, [layers[-1].output], again)
    expected = in_numpy(graph, x, rounded=1)[-1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)
    assert np.abs(found[0] - values[layers[-1].output][0]).max() > 0.01


def test_what_depends_on_no_change_is_not_run() -> None:
    graph = prepared(models.build("concat_pool_net"), "m").front
    network = AlteredNetwork(graph)
    [sample] = models.samples(models.IMAGE, count=1)
    values = network.run({graph.inputs[0]: sample[0]})
    seen = []

    def again(tensor: int, value: Array) -> Array:
        seen.append(tensor)
        return value

    last = graph.operators[-1]
    network.run_with(values, {last.inputs[0]: values[last.inputs[0]] * 2}, graph.outputs, again)
    assert seen == list(last.outputs)
