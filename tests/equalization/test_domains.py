"""Channels that may be scaled together, and all that forbids it."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.equalization.networks import layers_at, prepared
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.graph.model import Graph

PAD = [[0, 0], [1, 1], [1, 1], [0, 0]]


def domains_of(network: Callable[..., Any], *shapes: Any) -> tuple[Graph, list[Domain]]:
    graph = prepared(models.convert(network, *(shapes or (models.IMAGE,))))
    return graph, find_domains(graph, set())


def ends(graph: Graph, domain: Domain) -> tuple[set[Any], set[Any]]:
    return layers_at(graph, domain.producers), layers_at(graph, domain.consumers)


def test_a_chain_has_a_domain_between_each_two_layers() -> None:
    graph = prepared(models.conv_net())
    found = [ends(graph, domain) for domain in find_domains(graph, set())]
    assert found == [
        ({("CONV", 8, 0)}, {("CONV", 16, 0)}),
        ({("CONV", 16, 0)}, {("CONV", 16, 0)}),
        ({("CONV", 16, 0)}, {("CONV", 12, 0)}),
        ({("CONV", 12, 0)}, {("DENSE", 10, 0)}),
    ]
    assert [d.is_clipped for d in find_domains(graph, set())] == [False, True, False, False]


def test_concatenation_puts_channels_side_by_side() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 4, seed=1))
        branches = [tf.nn.relu(models.conv(x, n, size=1, seed=n)) for n in (5, 6, 7)]
        joined = tf.concat(branches, axis=-1)
        return models.conv(joined, 9, seed=2) + models.conv(branches[1], 9, size=1, seed=3)

    graph, domains = domains_of(network)
    _, joined = domains
    assert joined.channels == 18
    assert layers_at(graph, joined.producers) == {("CONV", 5, 0), ("CONV", 6, 5), ("CONV", 7, 11)}
    assert {graph.tensors[t].shape[-1]: o for t, o in joined.tensors.items()} == {
        5: 0,
        6: 5,
        7: 11,
        18: 0,
    }
    assert sorted(port.offset for port in joined.consumers) == [0, 5]


def test_a_concatenation_that_is_met_in_its_middle() -> None:
    """Offsets are counted from the domain's first channel, wherever the search began."""

    def network(x: Any) -> Any:
        later = tf.nn.relu(models.conv(x, 5, seed=1))
        first = tf.nn.relu(models.conv(later, 6, seed=2))
        return models.conv(tf.concat([first, later], axis=3), 7, seed=3)

    graph, [domain] = domains_of(network)
    assert domain.channels == 11
    assert ends(graph, domain) == (
        {("CONV", 5, 6), ("CONV", 6, 0)},
        {("CONV", 6, 6), ("CONV", 7, 0)},
    )


def test_additions_tie_their_operands_together() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        y = tf.nn.relu(models.conv(x, 6, seed=2))
        x = tf.nn.relu(x + models.depthwise(models.conv(y, 8, seed=3), seed=4))
        return models.conv(x, 5, seed=5)

    graph, domains = domains_of(network)
    residual = next(d for d in domains if len(d.producers) == 2)
    assert ends(graph, residual) == (
        {("CONV", 8, 0), ("DEPTHWISE", 8, 0)},
        {("CONV", 6, 0), ("CONV", 5, 0)},
    )
    assert len(residual.tensors) == 3
    assert len(domains) == 3


def test_a_tensor_with_several_readers() -> None:
    """An addition's two operands and two more layers read the same tensor."""

    def network(x: Any) -> Any:
        y = tf.nn.relu(models.conv(x, 8, seed=2))
        z = models.conv(y, 8, seed=3) + y
        return models.conv(z, 4, seed=4) + models.conv(y, 4, size=1, seed=5)

    _, [domain] = domains_of(network)
    assert (len(domain.producers), len(domain.consumers), len(domain.tensors)) == (2, 3, 3)
    assert {port.operator for port in domain.producers} & {p.operator for p in domain.consumers}


def test_scaling_passes_pooling_padding_means_and_leaky_relu() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.leaky_relu(models.conv(x, 8, seed=1), 0.2)
        x = tf.nn.avg_pool2d(tf.nn.max_pool2d(x, 2, 2, "SAME"), 2, 1, "VALID")
        return models.dense(tf.reduce_mean(tf.pad(x, PAD), [1, 2]), 5, seed=2)

    graph, [domain] = domains_of(network)
    kinds = {graph.producer(tensor).kind for tensor in domain.tensors}  # type: ignore[union-attr]
    assert kinds >= {"LEAKY_RELU", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "MEAN"}
    assert ends(graph, domain) == ({("CONV", 8, 0)}, {("DENSE", 5, 0)})


def test_depthwise_with_a_multiplier_reads_and_writes() -> None:
    def network(x: Any) -> Any:
        x = models.depthwise(tf.nn.relu(models.conv(x, 4, seed=1)), multiplier=3, seed=2)
        return models.conv(x, 5, seed=3)

    graph, domains = domains_of(network)
    assert [d.channels for d in domains] == [4, 12]
    assert ends(graph, domains[0]) == ({("CONV", 4, 0)}, {("DEPTHWISE", 12, 0)})
    assert ends(graph, domains[1]) == ({("DEPTHWISE", 12, 0)}, {("CONV", 5, 0)})


def test_a_grouped_convolution_writes_channels_but_does_not_read_them_as_its_filters_do() -> None:
    def network(x: Any) -> Any:
        x = models.conv(tf.nn.relu(models.conv(x, 8, seed=1)), 12, groups=2, seed=2)
        return models.conv(x, 5, seed=3)

    graph, [domain] = domains_of(network)
    assert ends(graph, domain) == ({("CONV", 12, 0)}, {("CONV", 5, 0)})


def inner(between: Callable[[Any], Any]) -> Callable[..., Any]:
    """Two convolutions with something between them."""

    def network(x: Any) -> Any:
        return models.conv(between(models.conv(x, 8, seed=1)), 8, seed=2)

    return network


STOPPING: dict[str, Callable[[Any], Any]] = {
    "tanh": tf.tanh,
    "softmax": tf.nn.softmax,
    "square": lambda x: x * x,
    "relu to 1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "constant operand": lambda x: x + models.weights(1, 12, 12, 8, seed=5),
    "broadcast constant": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME") + models.biases(8, 1),
    "broadcast addition": lambda x: x + tf.reduce_mean(x, [1, 2], keepdims=True),
    "concatenation with itself": lambda x: tf.concat([x, x], axis=-1),
    "two orders": lambda x: tf.concat([x, tf.nn.relu(x)], -1) + tf.concat([tf.nn.relu(x), x], -1),
    "padding with channels": lambda x: tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 0]]),
    "padding with ones": lambda x: tf.pad(x, PAD, constant_values=1.0),
    "mean over channels": lambda x: tf.reduce_mean(x, [2, 3], keepdims=True),
    "split": lambda x: tf.split(x, 2, axis=-1)[0],
    "transposition": lambda x: tf.transpose(x, [0, 1, 3, 2])[:, :, :, :8],
}


@pytest.mark.parametrize("between", STOPPING.values(), ids=STOPPING)
def test_what_scaling_cannot_pass(between: Callable[[Any], Any]) -> None:
    assert domains_of(inner(between))[1] == []


def test_the_stopping_networks_would_have_a_domain_without_what_stops_it() -> None:
    assert len(domains_of(inner(tf.nn.relu))[1]) == 1


def test_a_concatenation_of_rows_is_not_one_of_channels() -> None:
    def network(x: Any) -> Any:
        rows = [tf.nn.relu(models.conv(x, 8, seed=seed)) for seed in (1, 2)]
        return models.conv(tf.concat(rows, axis=1), 8, seed=3)

    assert domains_of(network)[1] == []


def test_inputs_and_outputs_of_the_network_are_not_scaled() -> None:
    def adds_input(x: Any) -> Any:
        return models.conv(x + models.conv(x, 8, seed=1), 8, seed=2)

    def shows_inside(x: Any) -> Any:
        y = tf.nn.relu(models.conv(x, 8, seed=1))
        return y, models.conv(y, 8, seed=2)

    assert domains_of(adds_input, (1, 12, 12, 8))[1] == []
    assert domains_of(shows_inside)[1] == []


def test_layers_that_stay_in_float_or_share_filters_are_not_scaled() -> None:
    chain = prepared(models.conv_net())
    everything = find_domains(chain, set())
    [skipped] = everything[0].consumers
    assert find_domains(chain, {skipped.operator}) == everything[2:]
    assert find_domains(prepared(models.shared_filter_net()), set()) == []


def test_layers_that_share_a_bias_are_scaled_only_if_it_is_zero() -> None:
    def network(bias: Any) -> Callable[..., Any]:
        def chain(x: Any) -> Any:
            for seed in (1, 2, 3):
                filters = models.weights(3, 3, int(x.shape[-1]), 8, seed=seed)
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias))
            return x

        return chain

    graph, domains = domains_of(network(np.zeros(8, np.float32)))
    assert len({operator.inputs[2] for operator in graph.operators}) == 1
    assert len(domains) == 2
    graph, domains = domains_of(network(models.biases(8, 1)))
    assert len({operator.inputs[2] for operator in graph.operators}) == 1
    assert domains == []


def test_a_flattened_tensor_holds_a_channel_once_per_position() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.avg_pool2d(tf.nn.relu(models.conv(x, 8, seed=1)), 3, 3, "VALID")
        return models.dense(tf.reshape(x, [1, 128]), 5, seed=2)

    graph, domains = domains_of(network)
    assert "RESHAPE" in {operator.kind for operator in graph.operators}
    assert domains == []
