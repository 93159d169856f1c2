"""Memory does not grow with the number of samples once the budgets are used up."""

from __future__ import annotations

import functools
import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tflite_eq import Config, SearchSettings, calibrate, config
from tflite_eq.alternatives import judges
from tflite_eq.data import store, stored_samples
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.layerwise import ComparisonSet, Rival, compare
from tflite_eq.graph.model import Graph
from tflite_eq.simulation import sampling
from tflite_eq.statistics import channels

FEW, MANY = 24, 56
SIZE, CHANNELS = 64, 4
# Less than half of what the input or the first layer's output of one sample takes; what is known of
# every sample, where its values are and a handful of numbers, takes a tenth of it.
PER_SAMPLE = 20_000


@functools.cache
def network() -> bytes:
    def layers(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, CHANNELS, seed=1))
        x = tf.nn.relu(models.conv(x, 8, stride=4, seed=2))
        return models.dense(tf.reduce_mean(x, [1, 2]), 4, seed=3)

    return models.convert(layers, (1, SIZE, SIZE, 3))


def stream(count: int) -> Callable[[], Iterator[Any]]:
    """Samples that are made when they are asked for."""
    shape = (1, SIZE, SIZE, 3)
    return lambda: (models.samples(shape, count=1, seed=n)[0] for n in range(count))


def peak(action: Callable[[], Any]) -> int:
    # Cycles wait until new objects are a quarter of those that the last collection left, which in a
    # process with TensorFlow is for ever: the second collection finds the frozen ones gone.
    gc.collect()
    gc.freeze()
    gc.collect()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.fixture
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_samples, "_MEMORY_BUDGET", 100_000)
    monkeypatch.setattr(store, "MEMORY_BUDGET", 100_000)
    monkeypatch.setattr(judges, "_MEMORY_BUDGET", 100_000)
    # These are bounded, but would fill up first.
    monkeypatch.setattr(channels, "_MOST_ROWS", 32)
    monkeypatch.setattr(config, "_FEWEST_ROWS", 8)
    monkeypatch.setattr(sampling, "_SAMPLED_VALUES", 8)


@pytest.mark.parametrize("equalization", ["activations", "cross_layer"])
def test_calibration(small_budgets: None, equalization: str) -> None:
    search = SearchSettings(steps=4, coarse=2, rows=8, work=1)
    options = Config(search=search, reconstruction="refit", equalization=equalization)
    model = network()
    calibrate(model, stream(FEW), options)  # what is made once
    few, many = (peak(lambda n=n: calibrate(model, stream(n), options)) for n in (FEW, MANY))
    assert many - few < (MANY - FEW) * PER_SAMPLE


def test_comparing_models() -> None:
    graph = Graph.from_bytes(network())

    def compared(count: int) -> None:
        samples = ComparisonSet(stream(count), "samples", [0] * count)
        compare(graph, [Rival("float", network())], samples, [])

    compared(2)
    few, many = (peak(lambda n=n: compared(n)) for n in (FEW, MANY))
    assert many - few < (MANY - FEW) * 1000


def test_a_packed_entry_is_the_entry() -> None:
    entry = metrics.score(np.array([1.0, 3.0]), 1, np.array([1.0, 2.0]))
    found = np.frombuffer(metrics.packed(entry) * 2, metrics.SCORE)
    assert [tuple(row) for row in found.tolist()] == [entry, entry]
