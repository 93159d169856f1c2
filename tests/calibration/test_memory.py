"""Memory does not grow with the number of samples once the budgets are used up."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest

from tests import models
from tflite_eq import Config, SearchSettings, calibrate, config
from tflite_eq.calibration import channel_statistics, stored_samples
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.layerwise import ComparisonSet, Rival, compare
from tflite_eq.graph.model import Graph
from tflite_eq.simulation import sampling, store

FEW, MANY = 48, 80
# What is known of every sample: where its values are, a handful of numbers.
PER_SAMPLE = 3000


def stream(count: int) -> Callable[[], Iterator[Any]]:
    """Samples that are made when they are asked for."""
    return lambda: (models.samples(models.IMAGE, count=1, seed=n)[0] for n in range(count))


def peak(action: Callable[[], Any]) -> int:
    # Else cycles would wait for as many objects as TensorFlow alone has made.
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.fixture
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_samples, "_MEMORY_BUDGET", 20_000)
    monkeypatch.setattr(store, "MEMORY_BUDGET", 20_000)
    # These are bounded, but would fill up first.
    monkeypatch.setattr(channel_statistics, "_MOST_ROWS", 32)
    monkeypatch.setattr(config, "_FEWEST_ROWS", 8)
    monkeypatch.setattr(sampling, "_SAMPLED_VALUES", 8)


@pytest.mark.parametrize("equalization", ["activations", "cross_layer"])
def test_calibration(small_budgets: None, equalization: str) -> None:
    search = SearchSettings(steps=4, coarse=2, rows=8, work=1)
    options = Config(search=search, reconstruction="refit", equalization=equalization)
    model = models.conv_net()
    calibrate(model, stream(2), options)  # what is made once
    few, many = (peak(lambda n=n: calibrate(model, stream(n), options)) for n in (FEW, MANY))
    assert many - few < (MANY - FEW) * PER_SAMPLE


def test_what_a_sample_may_take_is_less_than_its_values() -> None:
    """Or the limit above would mean nothing."""
    values = 12 * 12 * (3 + 8 + 16) * np.dtype(np.float32).itemsize
    assert values > 4 * PER_SAMPLE


def test_comparing_models() -> None:
    graph = Graph.from_bytes(models.softmax_net())

    def compared(count: int) -> None:
        samples = ComparisonSet(stream(count), "samples", [0] * count)
        compare(graph, [Rival("float", models.softmax_net())], samples, [])

    compared(2)
    few, many = (peak(lambda n=n: compared(n)) for n in (FEW, MANY))
    assert many - few < (MANY - FEW) * 300


def test_a_packed_entry_is_the_entry() -> None:
    entry = metrics.score(np.array([1.0, 3.0]), 1, np.array([1.0, 2.0]))
    found = np.frombuffer(metrics.packed(entry) * 2, metrics.SCORE)
    assert [tuple(row) for row in found.tolist()] == [entry, entry]
