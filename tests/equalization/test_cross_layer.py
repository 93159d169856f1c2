"""Equalized networks compute the same; their weights need not be equalized again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.calibration.channel_magnitudes import channel_magnitudes
from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.errors import ConfigError
from tflite_eq.graph import properties, schema
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.equalization import (
    ChannelFactors,
    equalizing_factors,
    find_pairs,
    with_factors,
)
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]

SPREAD = np.geomspace(0.02, 30, 8).astype(np.float32)


def uneven(activation: Any, name: str = "") -> bytes:
    """Convolution, depthwise, convolution, dense; channels of very different range."""

    def network(x: Any) -> Any:
        first = models.weights(3, 3, 3, 8, seed=1) * SPREAD
        x = activation(tf.nn.bias_add(tf.nn.conv2d(x, first, 1, "SAME"), models.biases(8, 1)))
        if name == "pool":
            x = tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2, 2, "VALID")
        middle = models.weights(3, 3, 8, 1, seed=2, gain=4.0) / SPREAD[:, None]
        x = tf.nn.depthwise_conv2d(x, middle, [1, 1, 1, 1], "SAME")
        x = activation(tf.nn.bias_add(x, models.biases(8, 2)))
        x = activation(models.conv(x, 6, size=1, seed=3))
        return models.dense(tf.reduce_mean(x, [1, 2]), 5, seed=4)

    return models.convert(network, models.IMAGE)


def equalized(model: bytes, data: Any) -> tuple[Graph, Graph, list[ChannelFactors]]:
    before = with_biases(Graph.from_bytes(model))
    pairs = find_pairs(before, set())
    largest = channel_magnitudes(before, [p.tensor for p in pairs], SampleReader(before, data))
    factors = equalizing_factors(before, pairs, largest)
    return before, with_factors(with_biases(Graph.from_bytes(model)), factors), factors


def identity(x: Any) -> Any:
    return x


def leaky(x: Any) -> Any:
    return tf.nn.leaky_relu(x, 0.1)


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
            found = running.run(schema.serialize(after.model), [sample])[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_relu6_computes_the_same_on_the_calibration_samples() -> None:
    model, data = uneven(tf.nn.relu6), models.samples(models.IMAGE)
    before, after, factors = equalized(model, data)
    clipped = {p.producer: p for p in find_pairs(before, set()) if p.is_clipped}
    assert len(clipped) == 3
    reached = channel_magnitudes(
        before, [p.tensor for p in clipped.values()], SampleReader(before, data)
    )
    for pair in factors:
        at_bound = reached[clipped[pair.producer].tensor] >= 6
        assert (np.asarray(pair.factors)[at_bound] == 1).all()
    assert any(min(pair.factors) < 0.9 for pair in factors)
    for [x] in data:
        expected = running.run(model, [x])[0]
        found = running.run(schema.serialize(after.model), [x])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


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
    before = with_biases(Graph.from_bytes(model))
    pairs = find_pairs(before, set())
    tiny = {p.tensor: np.r_[1.0, np.full(7, 1e-9)] for p in pairs}
    tiny[pairs[2].tensor] = tiny[pairs[2].tensor][:6]
    factors = equalizing_factors(before, pairs, tiny)
    after = with_factors(with_biases(Graph.from_bytes(model)), factors)
    for index in (0, 1):
        written, read = ranges(after, index)
        np.testing.assert_allclose(written[1:], read[1:], rtol=5e-3)
        was = ranges(before, index)
        assert np.ptp(np.log(was[0] / was[1])) > 1


def test_no_channel_comes_to_exceed_the_tensor() -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    before, after, _ = equalized(model, data)
    tensors = [p.tensor for p in find_pairs(before, set())]
    was = channel_magnitudes(before, tensors, SampleReader(before, data))
    now = channel_magnitudes(after, tensors, SampleReader(after, data))
    for tensor in tensors:
        assert now[tensor].max() <= was[tensor].max() * 1.001


def test_what_cannot_be_scaled_is_left_alone() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.tanh(models.conv(x, 8, seed=1))  # not homogeneous
        y = tf.nn.relu(models.conv(x, 8, seed=2))  # two readers
        z = models.conv(y, 8, seed=3) + y
        return models.conv(tf.nn.softmax(z), 4, seed=4)

    assert (
        find_pairs(with_biases(Graph.from_bytes(models.convert(network, models.IMAGE))), set())
        == []
    )
    shared = with_biases(Graph.from_bytes(models.shared_filter_net()))
    assert find_pairs(shared, set()) == []
    chain = with_biases(Graph.from_bytes(models.conv_net()))
    everything = find_pairs(chain, set())
    assert find_pairs(chain, {everything[0].consumer}) == everything[2:]


def test_per_tensor_gains_and_the_record_reproduces_it() -> None:
    model, data = uneven(tf.nn.relu), models.samples(models.IMAGE)
    reference = [running.run(model, x)[0] for x in data]
    found = {}
    for equalization in ("none", "auto"):
        result = quantize(model, data, Config(per_tensor=True, equalization=equalization))
        outputs = [running.run(result.model, x)[0] for x in data]
        found[equalization] = running.sqnr_db(np.stack(reference), np.stack(outputs))
    assert found["auto"] > found["none"] + 6
    again = quantize(model, Calibration.from_text(result.calibration.to_text()))
    assert again.model == result.model


def test_auto_equalizes_with_per_tensor_scales_only() -> None:
    assert Config(per_tensor=True).equalizes
    assert not Config().equalizes
    assert Config(equalization="cross_layer").equalizes
    assert not Config(per_tensor=True, equalization="none").equalizes


def test_a_generator_that_runs_dry_is_read_once() -> None:
    data = models.data("conv_net")
    record = calibrate(models.conv_net(), iter(data), Config(per_tensor=True))
    assert record.samples == len(data)
    assert record.to_text() == calibrate(models.conv_net(), data, Config(per_tensor=True)).to_text()


def test_factors_that_do_not_fit_are_refused() -> None:
    record = calibrate(models.conv_net(), models.data("conv_net"), Config(per_tensor=True))
    first = record.equalization[0]
    for wrong in (
        ChannelFactors(first.producer, first.consumer, first.factors[:-1]),
        ChannelFactors(first.consumer, first.producer, first.factors),
    ):
        record.equalization[0] = wrong
        with pytest.raises(ConfigError, match="equalizes operators"):
            quantize(models.conv_net(), record)
    record.equalization[0] = ChannelFactors(first.producer, first.consumer, (0.0,) * 8)
    with pytest.raises(ConfigError, match="not positive"):
        Calibration.from_text(record.to_text())
