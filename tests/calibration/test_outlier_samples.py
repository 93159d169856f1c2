"""Loud calibration samples from end to end: a network that nine in ten samples leave quiet."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, Config, quantize
from tflite_eq.config import ActivationMode
from tflite_eq.errors import ConfigError
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.numerics.windows import affine_for
from tflite_eq.preparation import prepared

Array = npt.NDArray[Any]

LOUD = (11, 30, 47)
COUNT = 60


@functools.cache
def landmark_net() -> bytes:
    """PRELU and ADD between layers, so that tensors lie there that no layer reads."""
    slopes = [np.linspace(0.05, 0.4, 8).astype(np.float32)] * 3

    def prelu(x: Any, number: int) -> Any:
        return tf.nn.relu(x) + slopes[number] * (x - tf.abs(x)) * 0.5

    def network(x: Any) -> Any:
        x = prelu(models.conv(x, 8, seed=1), 0)
        x = prelu(x + models.conv(x, 8, seed=2), 1)
        x = prelu(x + models.conv(x, 8, seed=3), 2)
        return models.conv(x, 4, size=12, padding="VALID", seed=4)

    return models.convert(network, models.IMAGE)


def samples(loud: tuple[int, ...] = LOUD, count: int = COUNT, seed: int = 0) -> list[list[Array]]:
    given = models.samples(models.IMAGE, count=count, seed=seed)
    return [[x * np.float32(10 if n in loud else 1)] for n, [x] in enumerate(given)]


@functools.cache
def quantized(treatment: str, loud: tuple[int, ...] = LOUD) -> Any:
    return quantize(landmark_net(), samples(loud), Config(outlier_samples=treatment))


def on_ordinary(model: bytes) -> float:
    """SQNR on 30 other samples, none of them loud."""
    others = samples((), 30, seed=9)
    exact = np.stack([running.run(landmark_net(), x)[0] for x in others])
    return running.sqnr_db(exact, np.stack([running.run(model, x)[0] for x in others]))


@pytest.mark.parametrize("treatment", ["downweight", "drop"])
def test_loud_samples_do_not_spoil_what_the_others_get(treatment: str) -> None:
    without = on_ordinary(quantized("keep", ()).model)
    assert on_ordinary(quantized(treatment).model) > without - 1.0
    assert on_ordinary(quantized("keep").model) < without - 6.0


def test_the_record_names_the_samples_and_keeps_what_was_done(tmp_path: Any) -> None:
    for treatment in ("keep", "downweight", "drop"):
        result = quantized(treatment)
        found = result.calibration.outliers
        assert found is not None
        assert (found.treatment, found.of, sorted(found.numbers)) == (treatment, COUNT, [*LOUD])
        assert set(found.names) == {f"sample {n}" for n in LOUD}
        assert list(found.times) == sorted(found.times, reverse=True)
        assert all(6 < times < 20 for times in found.times)
        assert result.report.summary["outliers"]["text"] in result.report.warnings
        assert "3 of 60 calibration samples reach" in result.report.summary["outliers"]["text"]
        assert Calibration.from_text(result.calibration.to_text()).outliers == found
        assert result.calibration.samples == COUNT - 3 * (treatment == "drop")


def test_dropping_is_leaving_out_by_hand() -> None:
    rest = [x for n, x in enumerate(samples()) if n not in LOUD]
    by_hand = quantize(landmark_net(), rest, Config())
    dropped = quantized("drop")
    assert dropped.calibration.tensors == by_hand.calibration.tensors
    assert dropped.calibration.layers == by_hand.calibration.layers


def test_what_the_caller_reads_keeps_the_range_that_loud_samples_have() -> None:
    graph = Graph.from_bytes(landmark_net())
    name = graph.tensors[graph.outputs[0]].name
    for treatment in ("keep", "downweight"):
        record = next(t for t in quantized(treatment).calibration.tensors if t.name == name)
        low, high = ((code - record.zero_point) * record.scale for code in (-128, 127))
        assert low <= record.observed[0] + record.scale
        assert high >= record.observed[1] - record.scale


def test_without_loud_samples_all_three_are_the_same() -> None:
    keep, *others = (quantized(t, ()).calibration for t in ("keep", "downweight", "drop"))
    assert keep.outliers is None
    for other in others:
        assert (other.tensors, other.layers, other.outliers) == (keep.tensors, keep.layers, None)


def test_where_many_are_loud_none_is_dropped_and_it_is_said() -> None:
    many = tuple(range(0, COUNT, 6))
    result = quantized("drop", many)
    assert result.calibration.samples == COUNT
    assert result.calibration.outliers.treatment == "keep"
    assert any("no outliers, so all count alike" in w for w in result.report.warnings)


def test_a_record_with_a_damaged_entry_is_refused() -> None:
    text = quantized("drop").calibration.to_text()
    with pytest.raises(ConfigError, match="treatment 'dropped' is not one of"):
        Calibration.from_text(text.replace('"treatment": "drop"', '"treatment": "dropped"'))
    with pytest.raises(ConfigError, match="one name and one figure"):
        Calibration.from_text(text.replace('"sample 11", ', "").replace(', "sample 11"', ""))


def heavy_tailed(count: int = 12) -> list[list[Array]]:
    """Values of which some in a thousand are 30 times as large as the others."""
    rng = np.random.default_rng(3)
    spikes = [np.where(rng.random(models.IMAGE) < 0.002, 30, 1) for _ in range(count)]
    return [[(rng.standard_normal(models.IMAGE) * s).astype(np.float32)] for s in spikes]


def test_tensors_in_front_of_prelu_have_the_range_that_serves_what_it_computes() -> None:
    config = Config(equalization="none", bias_correction="none", fixed=("method",))
    record = quantize(landmark_net(), heavy_tailed(), config).calibration
    graph = prepared(landmark_net(), "model", config).front
    network = FloatNetwork(graph)
    runs = [dict(network.run({graph.inputs[0]: x}, 0)) for [x] in heavy_tailed()]
    searched = 0
    for operator in graph.operators:
        if operator.kind != "PRELU":
            continue
        source = operator.inputs[0]
        slopes = graph.constant(operator.inputs[1])
        tensor = next(t for t in record.tensors if t.index == source)
        extremes = affine_for(*tensor.observed, False, ActivationMode.ASYMMETRIC, None)[0]
        errors = []
        for params in (AffineParams(tensor.scale, tensor.zero_point), extremes):
            total = 0.0
            for values in (run[source] for run in runs):
                exact, rounded = (
                    np.where(x > 0, x, slopes * x) for x in (values, fake_quantize(values, params))
                )
                total += float(np.square(exact - rounded).sum() / np.square(exact).sum())
            errors.append(total)
        assert errors[0] < 1.02 * errors[1]
        searched += errors[0] < 0.9 * errors[1]
    assert searched >= 2
