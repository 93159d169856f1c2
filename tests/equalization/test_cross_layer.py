"""Equalized networks compute the same; their weights need not be equalized again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.equalization.networks import (
    Array,
    identity,
    leaky,
    prepared,
    serialized,
    statistics_of,
    uneven,
    with_spread,
)
from tflite_eq import Config, quantize
from tflite_eq.equalization.cross_layer import cross_layer_factors
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.equalization.factors import ChannelFactors, with_factors
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph
from tflite_eq.statistics.channels import ChannelStatistics


def equalized(model: bytes, data: Any) -> tuple[Graph, Graph, list[ChannelFactors]]:
    before = prepared(model)
    domains = find_domains(before, set())
    factors = cross_layer_factors(before, domains, statistics_of(before, domains, data))
    return before, with_factors(prepared(model), factors), factors


def written(graph: Graph, domain: Domain) -> int:
    """The tensor that a domain's only producer writes."""
    [producer] = domain.producers
    return graph.operators[producer.operator].outputs[0]


def reaching(*largest: float) -> ChannelStatistics:
    """Statistics of channels with given largest magnitudes."""
    found = ChannelStatistics(len(largest), seed=0)
    found.update(np.asarray([largest], np.float32))
    return found


@pytest.mark.parametrize("activation", [tf.nn.relu, identity, leaky], ids=["relu", "none", "leaky"])
@pytest.mark.parametrize("name", ["", "pool"])
def test_the_network_computes_the_same_on_any_data(activation: Any, name: str) -> None:
    model = uneven(activation, name)
    _, after, factors = equalized(model, models.samples(models.IMAGE))
    assert len(factors) == 3
    assert max(max(f.factors) / min(f.factors) for f in factors) > 10
    for [x] in models.samples(models.IMAGE, count=4, seed=9):
        for sample in (x, 100 * x):
            expected = running.run(model, [sample])[0]
            found = running.run(serialized(after), [sample])[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_relu6_computes_the_same_on_the_calibration_samples() -> None:
    model, data = uneven(tf.nn.relu6), models.samples(models.IMAGE)
    before, after, factors = equalized(model, data)
    domains = find_domains(before, set())
    reached = statistics_of(before, domains, data)
    clipped = [(d, f) for d, f in zip(domains, factors) if d.is_clipped]
    assert len(clipped) == 3
    for domain, found in clipped:
        at_bound = reached[written(before, domain)].largest >= 6
        assert (np.asarray(found.factors)[at_bound] == 1).all()
    assert any(min(found.factors) < 0.9 for _, found in clipped)
    for [x] in data:
        expected = running.run(model, [x])[0]
        found_now = running.run(serialized(after), [x])[0]
        np.testing.assert_allclose(found_now, expected, rtol=1e-4, atol=1e-5)


def ranges(graph: Graph, index: int) -> tuple[Array, Array]:
    """Largest weight of each channel between operator ``index`` and the next, on either side."""
    sides = []
    for operator, inputs in ((graph.operators[index], False), (graph.operators[index + 1], True)):
        filters = np.abs(graph.constant(properties.linear_inputs(operator)[1]))
        last = inputs or operator.kind == "DEPTHWISE_CONV_2D"
        axes = tuple(range(filters.ndim - 1)) if last else tuple(range(1, filters.ndim))
        sides.append(filters.max(axis=axes))
    return sides[0], sides[1]


def test_both_sides_get_equal_ranges_where_nothing_bounds_the_factors() -> None:
    """Equation 12 of arXiv 1906.04721: r1 = r2 for every channel."""
    model = uneven(tf.nn.relu)
    before = prepared(model)
    domains = find_domains(before, set())
    tiny = {
        tensor: reaching(1.0, *[1e-9] * (before.tensors[tensor].shape[-1] - 1))
        for domain in domains
        for tensor in domain.tensors
    }
    factors = cross_layer_factors(before, domains, tiny)
    after = with_factors(prepared(model), factors)
    for index in (0, 1):
        now = ranges(after, index)
        np.testing.assert_allclose(now[0][1:], now[1][1:], rtol=5e-3)
        was = ranges(before, index)
        assert np.ptp(np.log(was[0] / was[1])) > 1


def test_no_channel_comes_to_exceed_the_tensor() -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    before, after, _ = equalized(model, data)
    domains = find_domains(before, set())
    was, now = statistics_of(before, domains, data), statistics_of(after, domains, data)
    for domain in domains:
        tensor = written(before, domain)
        assert now[tensor].largest.max() <= was[tensor].largest.max() * 1.001


def test_the_largest_weight_of_all_writers_and_readers_counts() -> None:
    """Two writers tied by an addition, two readers; their ranges differ by a factor per channel."""
    rng = np.random.default_rng(5)
    gains = np.exp(rng.uniform(-2, 2, (4, 8))).astype(np.float32)

    def network(x: Any) -> Any:
        first = tf.nn.conv2d(x, models.weights(3, 3, 3, 8, seed=1) * gains[0], 1, "SAME")
        second = tf.nn.conv2d(x, models.weights(3, 3, 3, 8, seed=2) * gains[1], 1, "SAME")
        x = tf.nn.relu(tf.nn.bias_add(first, models.biases(8, 1)) + second)
        left = models.weights(3, 3, 8, 5, seed=3) * gains[2][:, None]
        right = models.weights(1, 1, 8, 6, seed=4) * gains[3][:, None]
        return tf.nn.conv2d(x, left, 1, "SAME"), tf.nn.conv2d(x, right, 1, "SAME")

    model = models.convert(network, models.IMAGE)
    before = prepared(model)
    [domain] = find_domains(before, set())
    tiny = {tensor: reaching(1.0, *[1e-9] * 7) for tensor in domain.tensors}
    factors = cross_layer_factors(before, [domain], tiny)
    after = with_factors(prepared(model), factors)

    def largest(ports: Any, axes: tuple[int, ...]) -> Array:
        filters = [properties.linear_inputs(after.operators[p.operator])[1] for p in ports]
        return np.max([np.abs(after.constant(f)).max(axis=axes) for f in filters], axis=0)

    sides = largest(domain.producers, (1, 2, 3)), largest(domain.consumers, (0, 1, 2))
    np.testing.assert_allclose(sides[0][1:], sides[1][1:], rtol=5e-3)


def test_channels_that_nothing_writes_or_reads_keep_their_factor() -> None:
    spread = np.geomspace(0.1, 1, 8)
    alive = np.ones(8)
    alive[3] = 0
    graph = prepared(with_spread(spread, alive=alive))
    domains = find_domains(graph, set())
    statistics = statistics_of(graph, domains, models.samples(models.IMAGE))
    [found] = cross_layer_factors(graph, domains, statistics)
    assert found.factors[3] == 1
    assert min(np.delete(found.factors, 3)) < 0.5


def test_per_tensor_gains() -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    reference = np.stack(running.run_many(model, data))
    found = {}
    for equalization in ("none", "auto"):
        result = quantize(model, data, Config(per_tensor=True, equalization=equalization))
        found[equalization] = running.sqnr_db(
            reference, np.stack(running.run_many(result.model, data))
        )
    assert found["auto"] > found["none"] + 6
