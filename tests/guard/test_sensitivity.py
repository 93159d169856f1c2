"""Noise of single layers, against a network computed in NumPy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests import models
from tests.guard import networks
from tflite_eq import Config, calibrate
from tflite_eq.graph.linear import linear_layers
from tflite_eq.guard.sensitivity import layer_noise
from tflite_eq.preparation import prepared
from tflite_eq.record.filters import recorded_filters

Array = npt.NDArray[Any]


@pytest.mark.parametrize("correction", ["none", "iterative", "finetune"])
def test_noise_of_a_layer_is_that_of_its_own_codes_alone(correction: str) -> None:
    model = networks.planted()
    fixed = ("bias_correction",)  # harm or not
    config = Config(bits="7", method="minmax", bias_correction=correction, fixed=fixed)
    samples = networks.arrays(20, seed=1)
    calibration = calibrate(model, [[x[np.newaxis]] for x in samples], config)
    graph = prepared(model, "m").front
    layers = linear_layers(graph)
    inputs = [{graph.inputs[0]: x[np.newaxis]} for x in samples]
    found = layer_noise(graph, layers, calibration, inputs)

    params = {t.index: (t.scale, t.zero_point) for t in calibration.tensors}

    def run(altered: int | None) -> Array:
        values: Array = samples.astype(np.float64)
        for position, record in enumerate(calibration.layers):
            layer = layers[record.index]
            exact = values @ layer.filters.T.astype(np.float64)
            linear = exact
            if position == altered:
                scale, zero = params[layer.input]
                codes = np.clip(np.round(values / scale) + zero, -128, 127)
                filters = recorded_filters(layer, record)
                real = filters.codes * filters.scales[:, np.newaxis].astype(np.float64)
                linear = (codes - zero) * scale @ real.T
                if correction != "none":
                    linear = linear - (linear - exact).mean(axis=0)
            values = linear + layer.bias_values
            if position < 2:
                values = np.maximum(values, 0)
        return values

    exact = run(None)
    for position, record in enumerate(calibration.layers):
        expected = ((run(position) - exact) ** 2).sum() / (exact**2).sum()
        assert found[record.index] == pytest.approx(expected, rel=0.02)
    assert max(found, key=lambda index: found[index]) == networks.PLANTED


def test_noise_reaches_the_output_through_every_kind_of_operator() -> None:
    model = models.residual_net()
    plain = Config(method="minmax")  # with six samples what searches find is chance
    config = dataclasses.replace(plain, bits="7")
    calibration = calibrate(model, models.data("residual_net"), config)
    graph = prepared(model, "m").front
    inputs = [{graph.inputs[0]: x} for [x] in models.data("residual_net")]
    narrow = layer_noise(graph, linear_layers(graph), calibration, inputs)
    assert set(narrow) == {record.index for record in calibration.layers}
    assert all(0 < noise < 0.1 for noise in narrow.values())
    eight = calibrate(model, models.data("residual_net"), plain)
    wide = layer_noise(graph, linear_layers(graph), eight, inputs)
    assert sum(wide.values()) < sum(narrow.values()) / 2


def test_noise_counts_in_every_output_however_quiet() -> None:
    """A layer that only the second output reads, which is a thousand times quieter."""
    import tensorflow as tf

    def network(x: Any) -> Any:
        first = models.dense(tf.nn.relu(models.dense(x, 12, seed=1)), 5, seed=2) * 1000.0
        second = models.dense(tf.nn.relu(models.dense(x, 12, seed=3)), 5, seed=4)
        return first, second

    model = models.convert(network, (1, networks.FEATURES))
    samples = [[x[np.newaxis]] for x in networks.arrays(20, seed=1)]
    calibration = calibrate(model, samples, Config(bits="7", method="minmax"))
    graph = prepared(model, "m").front
    inputs = [{graph.inputs[0]: x} for [x] in samples]
    found = layer_noise(graph, linear_layers(graph), calibration, inputs)
    assert len(found) == 4
    assert all(1e-6 < noise < 0.1 for noise in found.values())
