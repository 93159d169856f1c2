"""Networks with large activations are followed through some of the samples, and ranged on all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests import built_models
from tflite_eq import Calibration, Config, calibrate
from tflite_eq.calibration import followed_samples as module
from tflite_eq.calibration.followed_samples import followed_by, followed_samples
from tflite_eq.graph.model import Graph

MODEL = built_models.conv_net()
GRAPH = Graph.from_bytes(MODEL)
DISTINCT = built_models.samples(12)


def beside(others: Sequence[int]) -> list[Any]:
    """The distinct samples, behind each another one of them: ranges are the same for any choice."""
    pairs = zip(DISTINCT, (DISTINCT[number] for number in others))
    return [sample for pair in pairs for sample in pair]


def calibrated(samples: list[Any], **options: Any) -> Calibration:
    return calibrate(MODEL, samples, Config(method="minmax", equalization="none", **options))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network has too many values."""
    monkeypatch.setattr(module, "_MOST_VALUES", 1)


def test_small_networks_are_followed_through_all_samples() -> None:
    assert list(followed_samples(GRAPH, 200)) == list(range(200))


@pytest.mark.parametrize("count", [1, 12, 13, 32, 1000])
def test_some_samples_are_always_followed_and_spread(few: None, count: int) -> None:
    found = list(followed_samples(GRAPH, count))
    assert len(found) == min(count, 12)
    steps = np.diff([*found, count])
    assert found[0] == 0
    assert steps.max() - steps.min() <= 1


def test_the_limit_is_one_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [int(np.prod(t.shape)) for t in GRAPH.tensors if GRAPH.producer(t.index)]
    monkeypatch.setattr(module, "_MOST_VALUES", 40 * sum(sizes))
    assert len(followed_samples(GRAPH, 100)) == 40


def test_min_max_scales_of_8_bits_are_the_same_whatever_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of 7 bits are not: where windows are signed they start from what was computed."""
    plain = Config(method="minmax", bias_correction="none", equalization="none")
    assert len(followed_by(plain, range(50))) == 12
    for other in (Config(), dataclasses.replace(plain, bits="7"), Config(method="minmax")):
        assert followed_by(other, range(50)) == range(50)
    samples = built_models.samples(30)
    few = calibrated(samples, bias_correction="none")
    monkeypatch.setattr(module, "_FEWEST", 1000)
    everything = calibrated(samples, bias_correction="none")
    assert [(t.scale, t.zero_point, t.observed) for t in few.tensors] == [
        (t.scale, t.zero_point, t.observed) for t in everything.tensors
    ]
    assert [layer.scales for layer in few.layers] == [layer.scales for layer in everything.layers]
    assert few.layers != everything.layers  # the figures are those of the samples followed


def test_biases_come_from_the_samples_that_are_followed(few: None) -> None:
    one, other = calibrated(beside([0] * 12)), calibrated(beside(range(12)))
    assert any(layer.bias_correction for layer in one.layers)
    assert one.layers == other.layers


def test_without_a_limit_they_come_from_all() -> None:
    one, other = calibrated(beside([0] * 12)), calibrated(beside(range(12)))
    assert one.layers != other.layers


def test_ranges_come_from_all_samples(few: None) -> None:
    samples = beside(range(12))
    samples[1] = [samples[1][0] * 3]  # not followed
    (image,) = [t for t in calibrated(samples).tensors if t.index in GRAPH.inputs]
    every = np.concatenate([sample[0] for sample in samples])
    assert image.observed == pytest.approx((float(every.min()), float(every.max())))


def test_those_that_are_not_followed_judge(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = calibrate(MODEL, built_models.samples(20)).comparison
    assert found is not None
    assert found.samples == 8
    assert not found.held_back
    said = capsys.readouterr().err
    assert "ranges are those of all 20 samples, searches and bias correction look at 12" in said
