from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Config, quantize

FACTORS = np.array([1, 1, 5000, 1, 1, 1], np.float32)


def network(x: Any) -> Any:
    """Its first layer makes as much of every feature."""
    import tensorflow as tf

    weights = models.weights(6, 8) / FACTORS[:, np.newaxis]
    return models.dense(tf.nn.relu(tf.matmul(x, weights) + models.biases(8)), 3)


def data(factors: Any = FACTORS, count: int = 12) -> list[list[Any]]:
    rng = np.random.default_rng(0)
    return [[rng.uniform(-1, 1, (1, 6)).astype(np.float32) * factors] for _ in range(count)]


def doubts(model: bytes, samples: Any) -> list[str]:
    warnings = quantize(model, samples).report.warnings
    return [warning for warning in warnings if "features of input" in warning]


def test_features_of_other_magnitudes_are_named_with_their_factor() -> None:
    [doubt] = doubts(models.convert(network, (1, 6)), data(count=100))
    factor = int(re.search(r"factor of ([\d,]+)", doubt)[1].replace(",", ""))  # type: ignore[index]
    assert 5000 <= factor < 5800
    assert "feature 0, 1, 3, 4, 5 of 6" in doubt


def test_the_expression_offered_brings_the_network_back() -> None:
    model, samples = models.convert(network, (1, 6)), data()
    [doubt] = doubts(model, samples)
    skip = re.search(r"--skip '(.+)'", doubt)[1]  # type: ignore[index]

    def sqnr(config: Config) -> float:
        quantized = quantize(model, samples, config).model
        pairs = [[running.run(m, x)[0] for m in (model, quantized)] for x in samples]
        noise = sum(float(((a - b) ** 2).sum()) for a, b in pairs)
        return float(10 * np.log10(sum(float((a**2).sum()) for a, _ in pairs) / noise))

    assert sqnr(Config()) < 15
    assert sqnr(Config(skip=skip)) > 30


@pytest.mark.parametrize("factors", [np.ones(6), np.array([1, 1, 20, 1, 1, 1])])
def test_features_of_like_ranges_are_not_doubted(factors: Any) -> None:
    samples = data(factors.astype(np.float32))
    assert not doubts(models.convert(network, (1, 6)), samples)


def test_features_that_the_network_makes_nothing_of_are_not_doubted() -> None:
    def deaf(x: Any) -> Any:
        import tensorflow as tf

        return models.dense(tf.nn.relu(models.dense(x, 8)), 3)

    assert not doubts(models.convert(deaf, (1, 6)), data())


def test_features_that_never_change_are_not_doubted() -> None:
    samples = [[x * np.array([0, 0, 1, 0, 0, 0], np.float32)] for [x] in data()]
    assert not doubts(models.convert(network, (1, 6)), samples)
