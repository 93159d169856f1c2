"""TFLite's default beside the written model: that of the network as it was given."""

from __future__ import annotations

import functools
import pathlib
import tempfile
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.equalization import networks
from tests.report import reports
from tests.report.tensors import cosine, tensor_extremes, tensor_values
from tflite_eq import Calibration, Config, QuantizationResult, calibrate, quantize
from tflite_eq.alternatives.min_max import default_model
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared
from tflite_eq.search.trace import PassTrace

# Options under which channels of ``uneven`` are scaled, and the activations it then has. ReLU6
# passes scaling on only where weights are what is scaled for.
SCALING: dict[str, tuple[Config, Any]] = {
    "activations": (Config(search=reports.QUICK), tf.nn.relu),
    "leaky": (Config(search=reports.QUICK), networks.leaky),
    "cross layer": (Config(per_tensor=True, search=reports.QUICK), tf.nn.relu6),
}
SAMPLES = models.samples(models.IMAGE, seed=4)
COMPARISON = ComparisonSet(models.samples(models.IMAGE, count=8, seed=9), "8 random samples")

scalings = pytest.mark.parametrize("scaling", SCALING)


def unscaled(config: Config) -> Config:
    return Config(per_tensor=config.per_tensor, search=config.search, equalization="none")


@functools.cache
def reported(scaling: str, scales: bool = True) -> QuantizationResult:
    config, activation = SCALING[scaling]
    with tempfile.TemporaryDirectory() as folder:
        return quantize(
            networks.uneven(activation),
            SAMPLES,
            config if scales else unscaled(config),
            report_dir=folder,
            comparison=COMPARISON,
        )


def default_of(model: bytes, record: Calibration, trace: PassTrace) -> bytes:
    graph = prepared(model, "net").front
    return default_model(graph, set(), trace.extremes, record)


def default_figures(result: QuantizationResult) -> list[Any]:
    layers = [layer.comparison for layer in result.report.layers]
    assert all(layers)
    per_layer = [(x.sqnr_db_default, x.cosine_default) for x in layers if x is not None]
    return [result.report.models[1], *per_layer]


@scalings
def test_scaled_channels_leave_the_default_as_it_is(scaling: str) -> None:
    config, activation = SCALING[scaling]
    model = networks.uneven(activation)
    made = []
    for options in (config, unscaled(config)):
        trace = PassTrace()
        record = calibrate(model, SAMPLES, options, trace=trace)
        assert bool(record.equalization) == (options is config)
        made.append((trace.extremes, default_of(model, record, trace)))
    assert made[0] == made[1]


@scalings
def test_scaled_channels_leave_the_figures_of_the_default_as_they_are(scaling: str) -> None:
    scaled, plain = reported(scaling), reported(scaling, scales=False)
    assert scaled.calibration.equalization
    assert not plain.calibration.equalization
    assert default_figures(scaled) == default_figures(plain)
    assert scaled.report.models[2].sqnr_db != plain.report.models[2].sqnr_db


@scalings
def test_ranges_of_the_default_are_those_of_the_given_network(scaling: str) -> None:
    config, activation = SCALING[scaling]
    model = networks.uneven(activation)
    trace = PassTrace()
    record = calibrate(model, SAMPLES, config, trace=trace)
    assert trace.extremes == tensor_extremes(model, SAMPLES)
    default = Graph.from_bytes(default_of(model, record, trace))
    indices = {tensor.name: tensor.index for tensor in Graph.from_bytes(model).tensors}
    results = [default.tensors[operator.outputs[0]] for operator in default.operators]
    inside = [t for t in results if t.type_name == "INT8" and t.name in indices]
    assert len(inside) >= 4  # what goes in and out has names of its own
    for tensor in inside:
        low, high = trace.extremes[indices[tensor.name]]
        scale = (max(high, 0.0) - min(low, 0.0)) / 255
        assert running.parameters(default, tensor.index)[0] == pytest.approx(scale, rel=1e-6)


@scalings
def test_figures_of_the_default_are_those_of_the_file_that_tensorflow_makes(scaling: str) -> None:
    _, activation = SCALING[scaling]
    network = networks.uneven_network(activation)
    theirs = models.convert_by_default(network, models.IMAGE, calibration=SAMPLES)
    exact = tensor_values(networks.uneven(activation), COMPARISON.samples)
    found = tensor_values(theirs, COMPARISON.samples)
    report = reported(scaling).report
    for layer in report.layers:
        assert layer.comparison is not None
        expected = reports.decibels(exact[layer.name], found[layer.name])
        assert layer.comparison.sqnr_db_default == pytest.approx(expected, abs=0.05)
        alike = cosine(exact[layer.name], found[layer.name])
        assert layer.comparison.cosine_default == pytest.approx(alike, abs=1e-5)
    assert report.models[1].sqnr_db == report.layers[-1].comparison.sqnr_db_default


def test_default_model_is_what_tensorflow_makes() -> None:
    """Scales, zero points, weights and biases of TFLite's own post-training quantization."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        x = tf.nn.relu6(models.depthwise(x, seed=2))
        # No ADD: TensorFlow reads wrong ranges off its inputs (tensorflow issue 127842).
        x = tf.concat([x, tf.nn.relu(models.conv(x, 8, seed=3))], -1)
        return models.dense(tf.reduce_mean(x, [1, 2]), 10, seed=5)

    model = models.convert(network, models.IMAGE)
    expected = Graph.from_bytes(
        models.convert_by_default(network, models.IMAGE, calibration=SAMPLES)
    )
    trace = PassTrace(extremes=tensor_extremes(model, SAMPLES))
    record = calibrate(model, SAMPLES, Config(method="minmax"))
    found = Graph.from_bytes(default_of(model, record, trace))
    assert [o.kind for o in found.operators] == [o.kind for o in expected.operators]
    for ours, theirs in zip(found.operators, expected.operators):
        for a, b in zip((*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs)):
            for mine, other in zip(running.parameters(found, a), running.parameters(expected, b)):
                np.testing.assert_allclose(mine, other, rtol=2e-6)
            if expected.tensors[b].is_constant and ours.kind != "MEAN":
                difference = found.constant(a).astype(np.int64) - expected.constant(b)
                assert np.abs(difference).max() <= 1  # a scale's last bit can move a rounding


@scalings
def test_loaded_record_has_no_default_but_is_compared_as_before(
    scaling: str, tmp_path: pathlib.Path
) -> None:
    made = reported(scaling)
    model = networks.uneven(SCALING[scaling][1])
    record = Calibration.from_text(made.calibration.to_text())
    again = quantize(model, record, report_dir=tmp_path, comparison=COMPARISON)
    assert [m.name for m in again.report.models] == ["FP32", "tflite_eq"]
    assert again.report.models == (made.report.models[0], made.report.models[2])
    for before, after in zip(made.report.layers, again.report.layers):
        assert before.comparison is not None
        assert after.comparison is not None
        assert after.comparison.sqnr_db_final == before.comparison.sqnr_db_final
        assert np.isnan(after.comparison.sqnr_db_default)
