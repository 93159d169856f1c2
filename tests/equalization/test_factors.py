"""Whatever positive factors a domain gets, the network computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.equalization.networks import Array, prepared, serialized
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.equalization.factors import ChannelFactors, tensor_factors, with_factors
from tflite_eq.graph import properties, schema
from tflite_eq.graph.edit import computed_tensors, with_all_tensors_as_outputs


def branches(x: Any) -> Any:
    """Concatenation, addition, depthwise multiplier, groups, leaky ReLU and max pooling."""
    y = tf.nn.relu(models.conv(x, 9, stride=2, groups=3, seed=3))
    x = tf.nn.leaky_relu(models.conv(x, 6, seed=1), 0.3)
    x = models.depthwise(tf.nn.max_pool2d(x, 3, 2, "SAME"), multiplier=2, seed=2)
    joined = tf.concat([y, x], axis=-1)
    joined = tf.nn.relu(joined + models.depthwise(joined, seed=4))
    x = tf.nn.relu(models.conv(y, 5, seed=5)) + models.conv(joined, 5, seed=6)
    return models.dense(tf.reduce_mean(tf.nn.relu(x), [1, 2]), 7, seed=7)


# How many domains no ReLU6 clips.
NETWORKS = {
    "branches": 3,
    "conv_net": 3,
    "depthwise_net": 1,
    "residual_net": 3,
    "concat_pool_net": 2,
    "leaky_net": 3,
    "dense_net": 2,
}


def build(name: str) -> bytes:
    return models.convert(branches, models.IMAGE) if name == "branches" else models.build(name)


def random_factors(domains: list[Domain], seed: int = 3) -> list[ChannelFactors]:
    rng = np.random.default_rng(seed)
    return [ChannelFactors.of(d, np.exp(rng.uniform(-4, 4, d.channels))) for d in domains]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_computes_the_same_on_any_data(name: str) -> None:
    model = build(name)
    domains = [d for d in find_domains(prepared(model), set()) if not d.is_clipped]
    assert len(domains) == NETWORKS[name]
    after = serialized(with_factors(prepared(model), random_factors(domains)))
    shapes = models.SHAPES.get(name, [models.IMAGE])
    for inputs in models.samples(*shapes, count=3, seed=9):
        for size in (1, 100):
            given = [x * size for x in inputs]
            for expected, found in zip(running.run(model, given), running.run(after, given)):
                tolerance = 2e-5 * float(np.abs(expected).max())
                np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_given_network_stays_as_it_is(name: str) -> None:
    given = prepared(build(name))
    before = serialized(given)
    scaled = with_factors(given, random_factors(find_domains(given, set())))
    assert serialized(given) == before
    # Constants that were replaced are not carried along: what is added is tables of empty buffers.
    entries = len(scaled.model.buffers) - len(given.model.buffers)
    assert entries > 0
    assert len(serialized(scaled)) - len(before) < 64 * entries


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_of_the_scaled_network_are_those_of_the_given_one_by_their_factors(
    name: str,
) -> None:
    given = prepared(build(name))
    equalization = random_factors([d for d in find_domains(given, set()) if not d.is_clipped])
    factors = tensor_factors(given, set(), equalization)
    inputs = models.samples(*models.SHAPES.get(name, [models.IMAGE]), count=1, seed=9)[0]
    expected, found = (
        running.run(with_all_tensors_as_outputs(graph), inputs)
        for graph in (with_factors(given, equalization), given)
    )
    assert factors.keys() < set(computed_tensors(given))
    for index, scaled, values in zip(computed_tensors(given), expected, found):
        if index in factors:
            assert factors[index].shape == values.shape[-1:]
            values = values / factors[index]
            # The tolerance below is that of each channel, which factors set far apart.
            scaled, values = (x.reshape(-1, x.shape[-1]).T for x in (scaled, values))
        for one, other in zip(np.atleast_2d(scaled), np.atleast_2d(values)):
            tolerance = 2e-5 * float(np.abs(other).max())
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def filters_of(model: bytes) -> list[Array]:
    graph = prepared(model)
    return [
        graph.constant(properties.linear_inputs(operator)[1])
        for operator in graph.operators
        if properties.linear_kind(operator) is not None
    ]


def test_weights_are_divided_where_channels_are_written_and_multiplied_where_read() -> None:
    model = models.dense_net()
    first, _ = find_domains(prepared(model), set())
    factors = np.exp(np.random.default_rng(0).uniform(-2, 2, first.channels))
    after = serialized(with_factors(prepared(model), [ChannelFactors.of(first, factors)]))
    was, now = filters_of(model), filters_of(after)
    np.testing.assert_allclose(now[0], was[0] / factors[:, None], rtol=1e-6)
    np.testing.assert_allclose(now[1], was[1] * factors, rtol=1e-6)
    np.testing.assert_array_equal(now[2], was[2])


def test_layers_that_share_a_buffer_are_scaled_one_by_one() -> None:
    """Equal constants may be stored once; scaling one layer must not scale the other."""
    network = schema.parse(models.shared_filter_net())
    subgraph = network.subgraphs[0]
    first, second = subgraph.operators[1:3]
    copies = []
    for index in first.inputs[1:]:
        copies.append(len(subgraph.tensors))
        subgraph.tensors.append(
            schema.parse(models.shared_filter_net()).subgraphs[0].tensors[index]
        )
    second.inputs = [second.inputs[0], *copies]
    model = schema.serialize(network)
    domains = find_domains(prepared(model), set())
    assert len(domains) == 2
    after = serialized(with_factors(prepared(model), random_factors(domains)))
    for inputs in models.samples(models.IMAGE, count=2, seed=4):
        [expected], [found] = running.run(model, inputs), running.run(after, inputs)
        np.testing.assert_allclose(found, expected, atol=2e-5 * float(np.abs(expected).max()))


def test_factors_fit_their_own_domain_only() -> None:
    first, second, *_ = find_domains(prepared(models.dense_net()), set())
    factors = ChannelFactors.of(first, np.ones(first.channels))
    assert factors.fits(first)
    assert not factors.fits(second)
    short = ChannelFactors(first.producers, first.consumers, factors.factors[:-1])
    assert not short.fits(first)
    assert not ChannelFactors(first.consumers, first.producers, factors.factors).fits(first)
    assert "operators 0 write and 1 read" in factors.describe()
