"""Factors for activations lower the noise that they are predicted to lower, and do no harm."""

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
from tflite_eq import ActivationMode, Bits, Config, quantize
from tflite_eq.equalization.balance import Precision, PredictedNoise, balancing_factors
from tflite_eq.equalization.choose import equalizing_factors, precision_for
from tflite_eq.equalization.domains import Domain, find_domains
from tflite_eq.equalization.factors import ChannelFactors, with_factors
from tflite_eq.graph import edit, properties
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups
from tflite_eq.numerics.affine import dequantize
from tflite_eq.numerics.affine import quantize as to_codes
from tflite_eq.numerics.windows import affine_for

SPREAD = np.geomspace(0.02, 1, 16)

INT8 = Precision(lambda group: 255, lambda layer: 127)
INT7 = Precision(lambda group: 127, lambda layer: 127)


def groups_of(graph: Graph) -> dict[int, ScaleGroup]:
    return scale_groups(graph, linear_layers(graph), set())


def balanced(model: bytes, data: Any, precision: Precision = INT8) -> list[ChannelFactors | None]:
    graph = prepared(model)
    domains = find_domains(graph, set())
    statistics, groups = statistics_of(graph, domains, data), groups_of(graph)
    return [balancing_factors(graph, d, statistics, groups, precision) for d in domains]


def noise_of(graph: Graph, domain: Domain, data: Any, precision: Precision) -> PredictedNoise:
    statistics = statistics_of(graph, [domain], data)
    return PredictedNoise(graph, domain, statistics, groups_of(graph), precision)


NETWORKS = {
    "uneven": lambda: uneven(tf.nn.relu),
    "uneven leaky": lambda: uneven(leaky),
    "uneven linear": lambda: uneven(identity),
    "residual": models.residual_net,
    "concatenation": models.concat_pool_net,
    "dense": models.dense_net,
}


@pytest.mark.parametrize("precision", [INT8, INT7], ids=["int8", "int7"])
@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_less_noise_is_predicted_than_without_factors(build: Any, precision: Precision) -> None:
    model = build()
    data = models.samples((1, 20) if build is models.dense_net else models.IMAGE)
    graph = prepared(model)
    domains = find_domains(graph, set())
    found = balanced(model, data, precision)
    assert any(found)
    for domain, factors in zip(domains, found):
        if factors is not None:
            noise = noise_of(graph, domain, data, precision)
            assert factors.fits(domain)
            assert noise.total(np.asarray(factors.factors)) < noise.total(np.ones(domain.channels))


def rounded_activation(values: Array, factors: Array, steps: int) -> Array:
    """Nonnegative values quantized with the clipping that leaves the least weighted error."""
    scaled = values / factors
    best, least = scaled, np.inf
    for end in scaled.max() * np.linspace(0.2, 1, 81):
        trial = np.clip(np.round(scaled / end * steps), 0, steps) * end / steps
        error = float(np.square((trial - scaled) * factors / SPREAD).sum())
        if error < least:
            best, least = trial, error
    return np.asarray(best * factors, np.float32)


def rounded_filters(filters: Array, reading: Array) -> Array:
    """Filters with one scale per output channel (the last axis), scaled by input channel."""
    scaled = filters * reading
    scale = np.abs(scaled).max(axis=(0, 1, 2), keepdims=True) / 127
    return np.asarray(np.round(scaled / scale) * scale / reading, np.float32)


@pytest.mark.parametrize("steps", [255, 127], ids=["int8", "int7"])
@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.6, 1.0])
def test_predicted_noise_is_that_of_rounded_layers(exponent: float, steps: int) -> None:
    """The oracle rounds activations and weights and computes the layer with what is left."""
    model = with_spread(SPREAD)
    data = models.samples(models.IMAGE, count=12)
    graph = prepared(model)
    [domain] = find_domains(graph, set())
    noise = noise_of(graph, domain, data, Precision(lambda group: steps, lambda layer: 127))
    [tensor] = domain.tensors
    [reader] = domain.consumers
    stored = properties.linear_inputs(graph.operators[reader.operator])[1]
    filters = np.moveaxis(graph.constant(stored), 0, -1)
    inside = edit.with_outputs(graph, [tensor])
    values = np.concatenate([running.run(inside, x)[0] for x in data])

    factors = (values.max(axis=(0, 1, 2)) / values.max()) ** exponent

    def convolved(inputs: Array, weights: Array) -> Array:
        return np.asarray(tf.nn.conv2d(inputs, weights, 1, "VALID"), np.float64)

    exact = convolved(values, filters)
    signal = exact.var(axis=(0, 1, 2)).sum()
    of_activations = convolved(rounded_activation(values, factors, steps), filters) - exact
    of_weights = convolved(values, rounded_filters(filters, factors[:, None])) - exact
    assert noise.of_activations(factors) == pytest.approx(
        of_activations.var(axis=(0, 1, 2)).sum() / signal, rel=0.5
    )
    assert noise.of_weights(factors) == pytest.approx(
        of_weights.var(axis=(0, 1, 2)).sum() / signal, rel=0.5
    )


def with_bias(bias: float, activation: Any) -> bytes:
    """Two convolutions; ``bias`` moves what lies between them up or down."""

    def network(x: Any) -> Any:
        filters = (models.weights(3, 3, 3, 16, seed=1) * SPREAD).astype(np.float32)
        x = tf.nn.conv2d(x, filters, 1, "SAME")
        x = activation(tf.nn.bias_add(x, (bias * SPREAD).astype(np.float32)))
        return models.conv(x, 8, size=1, seed=2)

    return models.convert(network, models.IMAGE)


@pytest.mark.parametrize("is_int7", [False, True], ids=["int8", "int7"])
@pytest.mark.parametrize("mode", ActivationMode)
@pytest.mark.parametrize(
    ("bias", "activation"),
    [(0.0, tf.nn.relu), (0.0, identity), (4.0, identity), (-4.0, identity)],
    ids=["nonnegative", "even", "mostly positive", "mostly negative"],
)
def test_steps_are_those_of_the_mode(
    bias: float, activation: Any, mode: ActivationMode, is_int7: bool
) -> None:
    """The oracle rounds to the scales, zero points and windows that tensors are given."""
    data = models.samples(models.IMAGE, count=12)
    graph = prepared(with_bias(bias, activation))
    [domain] = find_domains(graph, set())
    [tensor] = domain.tensors
    [reader] = domain.consumers
    stored = properties.linear_inputs(graph.operators[reader.operator])[1]
    filters = graph.constant(stored).reshape(8, 16).astype(np.float64)
    statistics = statistics_of(graph, [domain], data)[tensor]
    values = statistics.sampled
    energy = np.square(filters).sum(axis=0)

    def error(low: float, high: float) -> float:
        params, window = affine_for(low, high, is_int7, mode, None)
        codes = np.clip(to_codes(values, params), window.low, window.high)
        rounded = dequantize(codes, params).astype(np.float64)
        return float(np.square(rounded - values).mean(axis=0) @ energy)

    lowest, highest = min(float(values.min()), 0.0), float(values.max())
    parts = np.linspace(0.2, 1, 17)
    least = min(error(lowest * below, highest * above) for below in parts for above in parts)
    signal = float(energy @ statistics.variance)
    config = Config(activation_mode=mode, bits=Bits.INT7 if is_int7 else Bits.INT8)
    precision = precision_for(linear_layers(graph), groups_of(graph), config)
    predicted = noise_of(graph, domain, data, precision).of_activations(np.ones(16))
    assert predicted == pytest.approx(least / signal, rel=0.15)


def test_nonnegative_tensors_use_half_of_a_symmetric_range() -> None:
    """So they have as many codes at 8 bits as a 7-bit window has in the other mode."""
    data = models.samples(models.IMAGE)
    graph = prepared(with_spread(SPREAD))
    [domain] = find_domains(graph, set())
    symmetric, int7 = (
        noise_of(graph, domain, data, precision_for(linear_layers(graph), groups_of(graph), config))
        for config in (Config(activation_mode=ActivationMode.SYMMETRIC), Config(bits=Bits.INT7))
    )
    for exponent in (0.0, 0.3, 0.6, 1.0):
        factors = SPREAD**exponent
        assert symmetric.of_activations(factors) == int7.of_activations(factors)


def test_factors_depend_on_the_mode() -> None:
    graph = prepared(models.residual_net())
    channels = statistics_of(graph, find_domains(graph, set()), models.samples(models.IMAGE))
    asymmetric, symmetric = (
        equalizing_factors(graph, set(), channels, Config(activation_mode=mode))
        for mode in (ActivationMode.ASYMMETRIC, ActivationMode.SYMMETRIC)
    )
    assert asymmetric != symmetric


@pytest.mark.parametrize("pooled", ["mean", "pool"])
def test_predicted_noise_behind_a_mean_is_that_of_rounded_tensors(pooled: str) -> None:
    """Rounding errors of the positions mostly cancel in their mean."""

    def network(x: Any) -> Any:
        filters = (models.weights(3, 3, 3, 16, seed=1) * SPREAD).astype(np.float32)
        x = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME"))
        if pooled == "mean":
            return models.dense(tf.reduce_mean(x, [1, 2]), 8, seed=2)
        return models.conv(tf.nn.avg_pool2d(x, 4, 4, "VALID"), 8, size=1, seed=2)

    data = models.samples(models.IMAGE, count=60)
    graph = prepared(models.convert(network, models.IMAGE))
    [domain] = find_domains(graph, set())
    [reader] = domain.consumers
    stored = properties.linear_inputs(graph.operators[reader.operator])[1]
    filters = graph.constant(stored).reshape(8, 16).astype(np.float64)
    first = graph.operators[domain.producers[0].operator].outputs[0]
    values = np.concatenate([running.run(edit.with_outputs(graph, [first]), x)[0] for x in data])

    def behind(x: Array) -> Array:
        size = 12 if pooled == "mean" else 4
        means = x.reshape(len(x), 12 // size, size, 12 // size, size, 16).mean(axis=(2, 4))
        return np.asarray(means.reshape(-1, 16))

    def to_codes(x: Array) -> Array:
        step = x.max() / 255
        return np.asarray(np.round(x / step) * step)

    exact = behind(values.astype(np.float64))
    inner = behind(to_codes(values.astype(np.float64)))
    if pooled == "mean":  # rounds its results anew; pooling passes the scale on
        inner = to_codes(inner)
    noise = ((inner - exact) @ filters.T).var(axis=0).sum() / (exact @ filters.T).var(axis=0).sum()
    predicted = noise_of(graph, domain, data, INT8).of_activations(np.ones(16))
    assert predicted == pytest.approx(noise, rel=0.5)


@pytest.mark.parametrize("bits", ["8", "7"])
@pytest.mark.parametrize(
    ("build", "gain"),
    [
        (lambda: uneven(tf.nn.relu), 6),
        (lambda: uneven(leaky), 8),
        (lambda: with_spread(SPREAD), 5),
        (lambda: with_spread(SPREAD, "depthwise"), 3),
    ],
    ids=["relu", "leaky", "conv", "depthwise"],
)
def test_accuracy_on_unseen_samples_gains(build: Any, gain: float, bits: str) -> None:
    model = build()
    data = models.samples(models.IMAGE, count=8)
    unseen = models.samples(models.IMAGE, count=8, seed=77)
    reference = np.stack(running.run_many(model, unseen))
    found = {}
    for equalization in ("none", "activations"):
        result = quantize(model, data, Config(bits=bits, equalization=equalization))
        outputs = np.stack(running.run_many(result.model, unseen))
        found[equalization] = running.sqnr_db(reference, outputs)
    assert found["activations"] > found["none"] + gain


def test_channels_of_equal_range_are_left_alone() -> None:
    """Scaling them all by the same factor would change nothing."""

    def network(x: Any) -> Any:
        filters = models.weights(3, 3, 3, 1, seed=1).repeat(8, axis=3)
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), np.zeros(8, "f4")))
        return models.conv(x, 4, seed=2)

    assert balanced(models.convert(network, models.IMAGE), models.samples(models.IMAGE)) == [None]


def test_channels_that_a_relu6_ends_are_left_alone() -> None:
    data = models.samples(models.IMAGE)
    assert balanced(uneven(tf.nn.relu6), data) == [None] * 3
    found = balanced(models.conv_net(), data)
    clipped = [d.is_clipped for d in find_domains(prepared(models.conv_net()), set())]
    assert clipped == [False, True, False, False]
    assert found[1] is None


@pytest.mark.parametrize("reader", ["conv", "depthwise"])
def test_dead_channels_keep_their_factor(reader: str) -> None:
    alive = np.ones(16)
    alive[[3, 7]] = 0
    model = with_spread(SPREAD, reader, alive=alive)
    [found] = balanced(model, models.samples(models.IMAGE))
    assert found is not None
    factors = np.asarray(found.factors)
    assert (factors[[3, 7]] == 1).all()
    assert factors[0] < 0.5
    assert (factors > 0).all()
    assert (factors <= 1).all()


def test_factors_are_bounded_however_small_a_channel_is() -> None:
    spread = np.array([1e-7, 0.5, 1, 1, 1, 1, 1, 1])
    [found] = balanced(with_spread(spread), models.samples(models.IMAGE))
    assert found is not None
    assert min(found.factors) >= 1 / 8


def test_balanced_networks_compute_the_same_on_any_data() -> None:
    for model in (uneven(leaky), models.residual_net(), models.concat_pool_net()):
        factors = [f for f in balanced(model, models.samples(models.IMAGE)) if f is not None]
        after = serialized(with_factors(prepared(model), factors))
        for x in models.samples(models.IMAGE, count=3, seed=9):
            [expected], [found] = running.run(model, x), running.run(after, x)
            tolerance = 2e-5 * float(np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_inputs_that_never_change_are_no_error() -> None:
    """One sample behind a spatial mean has no variance; the layers before it are balanced."""
    found = balanced(models.conv_net(), models.samples(models.IMAGE, count=1))
    assert found[-1] is None
    assert found[0] is not None
    graph = prepared(models.conv_net())
    last = find_domains(graph, set())[-1]
    noise = noise_of(graph, last, models.samples(models.IMAGE, count=1), INT8)
    assert noise.total(np.ones(last.channels)) == 0


def test_the_same_data_give_the_same_factors() -> None:
    data = models.samples(models.IMAGE)
    assert balanced(uneven(leaky), data) == balanced(uneven(leaky), data)
