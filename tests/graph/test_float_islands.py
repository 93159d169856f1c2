"""Which operators stay in float together, and the expressions that name them."""

from __future__ import annotations

import re

import pytest
import tensorflow as tf

from tests import models
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.float_islands import island_of, matching, with_movers
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph


def moving_net() -> Graph:
    """conv -> max pool -> transpose -> dense -> add -> reshape, and the conv read by another."""

    def network(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = tf.nn.relu(models.conv(x, 8, seed=1))
        turned = tf.transpose(tf.nn.max_pool2d(y, 6, 6, "VALID"), [0, 3, 1, 2])
        z = models.dense(tf.reshape(turned, (1, 32)), 6, seed=2)
        z = z + tf.math.tanh(z)
        return tf.reshape(z, (1, 1, 6)), models.conv(y, 4, seed=3)

    return with_biases(Graph.from_bytes(models.convert(network, models.IMAGE)))


def kinds(graph: Graph, indices: object) -> list[str]:
    assert isinstance(indices, (set, frozenset))
    return sorted(graph.operators[index].kind for index in indices)


def indices_of(graph: Graph, *wanted: str) -> set[int]:
    return {operator.index for operator in graph.operators if operator.kind in wanted}


def test_an_island_is_what_computes_the_input_without_movers() -> None:
    graph = moving_net()
    layers = linear_layers(graph)
    [dense] = [layer for layer in layers.values() if layer.kind.value == "FULLY_CONNECTED"]
    assert kinds(graph, island_of(graph, dense, set())) == ["CONV_2D", "FULLY_CONNECTED"]
    first = min(layers)
    assert island_of(graph, layers[first], set()) == {first}
    assert kinds(graph, island_of(graph, dense, {first})) == ["FULLY_CONNECTED"]


def test_means_go_with_what_they_lie_between() -> None:
    def network(x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.relu(models.conv(x, 8, seed=1))
        pooled = tf.nn.avg_pool2d(y, 12, 12, "VALID")
        return models.dense(tf.reshape(pooled, (1, 8)), 6, seed=2)

    graph = with_biases(Graph.from_bytes(models.convert(network, models.IMAGE)))
    layers = linear_layers(graph)
    island = island_of(graph, layers[max(layers)], set())
    assert kinds(graph, island) == ["CONV_2D", "FULLY_CONNECTED"]
    assert kinds(graph, with_movers(graph, island) - island) == ["AVERAGE_POOL_2D"]


def test_movers_go_with_what_they_lie_between() -> None:
    graph = moving_net()
    between = with_movers(graph, indices_of(graph, "CONV_2D", "FULLY_CONNECTED"))
    assert kinds(graph, between) == [
        *("CONV_2D", "CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "RESHAPE", "TRANSPOSE"),
    ]  # not the last reshape: what it moves comes from ADD
    with_add = with_movers(graph, indices_of(graph, "FULLY_CONNECTED", "ADD"))
    assert kinds(graph, with_add) == ["ADD", "FULLY_CONNECTED", "RESHAPE"]


def test_movers_between_operators_in_int8_stay_there() -> None:
    graph = moving_net()
    [dense] = indices_of(graph, "FULLY_CONNECTED")
    assert with_movers(graph, {dense}) == {dense}
    assert with_movers(graph, set()) == set()


def test_an_input_of_the_network_is_moved_in_float_to_an_operator_in_float() -> None:
    def network(x: tf.Tensor) -> tf.Tensor:
        return models.dense(tf.reshape(x, (1, 3 * 12 * 12)), 4, seed=1)

    graph = with_biases(Graph.from_bytes(models.convert(network, models.IMAGE)))
    [dense] = indices_of(graph, "FULLY_CONNECTED")
    assert kinds(graph, with_movers(graph, {dense})) == ["FULLY_CONNECTED", "RESHAPE"]


@pytest.mark.parametrize("names", [["a/b;c", "a.b", "x(1)"], ["a/b;c"], ["twin;1", "a.b"]])
def test_expressions_match_the_names_and_nothing_else(names: list[str]) -> None:
    every = ["a/b;c", "a.b", "x(1)", "a/bd", "aXb", "za.b", "x1", "twin;1", "twin;2", "twin;12"]
    pattern = matching(names, every)
    assert pattern is not None
    assert sorted(n for n in every if re.search(pattern, n)) == sorted(names)


def test_expressions_are_short_where_they_can_be() -> None:
    assert matching(["conv;bias;relu"], ["conv;bias;relu", "conv1;bias"]) == "^conv(;|$)"


def test_expressions_are_added_to_those_of_the_user() -> None:
    both = matching(["a.b"], [], "(?i)^MINE")
    assert both is not None
    assert re.search(both, "mine 1")
    assert re.search(both, "a.b")
    assert matching([], ["a"], "p") == "p"
    assert matching([], ["a"]) is None
