"""The figures of a full report against NumPy and TensorFlow."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.report import reports
from tests.report.tensors import cosine, tensor_values
from tflite_eq import EasyQuantConverter, attach, quantize
from tflite_eq.equalization.factors import with_factors
from tflite_eq.errors import TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels


def test_sqnr_and_cosine_are_those_of_the_written_file() -> None:
    made = reports.conv_net()
    equalization = made.result.calibration.equalization
    assert equalization
    quantized = with_factors(with_biases(Graph.from_bytes(made.model)), equalization)
    exact = tensor_values(schema.serialize(quantized.model), made.comparison.samples)
    ours = tensor_values(made.result.model, made.comparison.samples)
    for layer in made.report.layers:
        a, b = exact[layer.name], ours[layer.name]
        assert layer.comparison is not None
        assert layer.comparison.sqnr_db_final == pytest.approx(reports.decibels(a, b), abs=1e-3)
        assert layer.comparison.cosine_final == pytest.approx(cosine(a, b), abs=1e-6)


def test_added_noise_is_the_difference_of_two_layers() -> None:
    layers = [layer.comparison for layer in reports.conv_net().report.layers]
    first, second = layers[0], layers[1]
    assert first is not None
    assert second is not None
    noise = [10 ** (-x.sqnr_db_final / 10) for x in (first, second)]
    assert second.added_noise == pytest.approx(noise[1] - noise[0])


def test_models_side_by_side() -> None:
    made = reports.conv_net()
    float_model, default, ours = made.report.models
    assert (float_model.bytes, ours.bytes) == (len(made.model), len(made.result.model))
    outputs = [
        np.concatenate([running.run(model, x, Kernels.DEFAULT)[0] for x in made.comparison.samples])
        for model in (made.model, made.result.model)
    ]
    winners = [o.argmax(axis=1) for o in outputs]
    labels = np.asarray(made.comparison.labels)
    assert ours.agreement.value == pytest.approx(100 * np.mean(winners[0] == winners[1]))
    assert ours.top1.value == pytest.approx(100 * np.mean(winners[1] == labels))
    assert float_model.top1.value == pytest.approx(100 * np.mean(winners[0] == labels))
    assert default.agreement_lost.value == 0
    lost = ours.agreement_lost
    assert lost.value == pytest.approx(default.agreement.value - ours.agreement.value)
    assert lost.low < lost.value < lost.high
    assert ours.sqnr_db == pytest.approx(reports.decibels(*outputs), abs=1e-3)
    assert default.sqnr_db is not None
    assert "5 random samples" in made.report.compared_on


def test_histograms_count_the_calibration_values() -> None:
    made = reports.conv_net()
    graph = Graph.from_bytes(made.model)
    samples = models.data("conv_net")
    first = made.report.layers[0].detail
    assert first is not None
    assert first.activation is not None
    values = np.concatenate([x.ravel() for [x] in samples])
    edges = first.activation.low + first.activation.width * np.arange(
        len(first.activation.counts) + 1
    )
    counts, _ = np.histogram(values[values != 0], edges)
    # Positive bins are closed below, negative ones above; no random value lies on an edge.
    assert first.activation.counts == tuple(counts)
    assert first.activation.zeros == np.count_nonzero(values == 0)
    layers = linear_layers(with_biases(graph))
    for layer, own in zip(layers.values(), made.report.layers):
        assert own.detail is not None
        assert sum(own.detail.weight_codes.counts) == layer.filters.size


def test_search_curves_hold_the_choice_and_what_it_was_compared_with() -> None:
    layers = reports.conv_net().report.layers
    is_least = []
    for layer in layers:
        detail = layer.detail
        assert detail is not None
        factors = [trial.factor for trial in detail.activation_search]
        assert 1.0 in factors
        best = min(detail.activation_search, key=lambda trial: trial.loss)
        assert layer.input_factor in factors
        chosen = [t.loss for t in detail.activation_search if t.factor == layer.input_factor]
        last = max(t.round for t in detail.activation_search)
        least = min(t.loss for t in detail.activation_search if t.round == last)
        is_least.append(min(chosen) <= least * (1 + 1e-5))
        # Candidates are judged on few rows. Where all rows contradict them, the search is undone.
        assert is_least[-1] or layer.input_factor == 1.0
        assert best.loss > 0
        assert [t.factor for t in detail.weight_search] == sorted(
            t.factor for t in detail.weight_search
        )
    assert sum(is_least) >= len(layers) - 1


def test_loaded_record_has_no_default_to_compare_with(tmp_path: object) -> None:
    made = reports.conv_net()
    again = quantize(
        made.model,
        made.result.calibration,
        report_dir=str(tmp_path),
        comparison=made.comparison,
    )
    assert again.model == made.result.model
    assert [model.name for model in again.report.models] == ["FP32", "tflite_eq"]
    assert again.report.layers[0].comparison is not None
    assert np.isnan(again.report.layers[0].comparison.sqnr_db_default)
    without = quantize(made.model, made.result.calibration, report_dir=str(tmp_path))
    assert without.report.models == ()
    assert without.report.layers[0].detail is not None


def test_calibration_samples_serve_where_none_are_named() -> None:
    made = reports.deep()
    assert made.report.compared_on.startswith("3 of the calibration samples")


def test_report_changes_nothing_about_the_model() -> None:
    made = reports.conv_net()
    assert quantize(made.model, models.data("conv_net"), reports.CONFIG).model == made.result.model


def test_converters_write_the_report(tmp_path: pathlib.Path) -> None:
    samples = models.data("dense_net")
    converter = EasyQuantConverter.from_tflite(models.dense_net())
    converter.representative_dataset = samples
    converter.report_dir = tmp_path / "own"
    converter.convert()
    assert (tmp_path / "own" / "report.html").is_file()
    assert converter.report.models[2].sqnr_db is not None

    inputs = tf.keras.layers.Input((6,))
    keras_model = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(inputs))
    tf_converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    tf_converter.representative_dataset = lambda: iter(models.samples((1, 6)))
    attach(tf_converter, report_dir=tmp_path / "attached")
    tf_converter.convert()
    assert (tmp_path / "attached" / "layers.csv").is_file()


def test_folder_that_cannot_be_written_is_refused_first(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")

    def never() -> None:
        raise AssertionError("data were read")

    with pytest.raises(TfliteEqError, match="is a file; choose another folder"):
        quantize(models.conv_net(), never, report_dir=tmp_path / "file" / "report")
    converter = EasyQuantConverter.from_tflite(models.conv_net())
    converter.representative_dataset = never
    converter.report_dir = tmp_path / "file"
    with pytest.raises(TfliteEqError, match="is a file; choose another folder"):
        converter.convert()
