"""Scales of groups with averages inside."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, calibrate, quantize
from tflite_eq.config import Config
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import ScaleGroup, scale_groups
from tflite_eq.runtimes import Kernels
from tflite_eq.search.trace import PassTrace
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.averages import operators_behind_averages

BATCH = (None, *models.IMAGE[1:])


def group_of(model: bytes, kind: str) -> ScaleGroup:
    """The group of the first operator of a kind."""
    graph = Graph.from_bytes(model)
    operator = next(o for o in graph.operators if o.kind == kind)
    return scale_groups(graph, linear_layers(graph), set())[operator.outputs[0]]


@functools.cache
def wide_pools_net() -> bytes:
    """A classifier behind four averages of all but an edge."""

    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 16, seed=1))
        x = tf.nn.relu(models.conv(x, 24, seed=2))
        x = tf.nn.avg_pool2d(x, 11, 1, "VALID")
        return models.dense(tf.reshape(x, [tf.shape(x)[0], 96]), 10, seed=3)

    return models.convert(network, BATCH)


def kinds_behind_averages(model: bytes) -> list[str]:
    return [o.kind for o in operators_behind_averages(group_of(model, "AVERAGE_POOL_2D"))]


def test_what_reads_averages_inside_the_group_follows_them() -> None:
    assert kinds_behind_averages(wide_pools_net()) == ["AVERAGE_POOL_2D", "RESHAPE"]
    assert kinds_behind_averages(models.concat_pool_net()) == [
        "AVERAGE_POOL_2D",
        "CONCATENATION",
    ]


def record_and_trace(model: bytes) -> tuple[Calibration, PassTrace]:
    trace = PassTrace()
    data = models.samples(models.IMAGE, count=30)
    return calibrate(model, data, Config(), trace=trace), trace


def test_asking_for_a_shape_settles_nothing() -> None:
    """The layer behind a flattening takes part in the search, which needs it to be present."""

    def network(x: Any) -> Any:
        x = tf.nn.max_pool2d(tf.nn.relu(models.conv(x, 8, seed=1)), 4, 4, "VALID")
        return models.dense(tf.reshape(x, [tf.shape(x)[0], 72]), 10, seed=2)

    model = models.convert(network, BATCH)
    assert any(o.kind == "SHAPE" for o in Graph.from_bytes(model).operators)
    _, trace = record_and_trace(model)
    assert trace.activation_searches[group_of(model, "MAX_POOL_2D").tensors[0]]


def error_db(model: bytes) -> float:
    """SQNR of the quantized network on samples that calibration has not seen."""
    data = models.samples(models.IMAGE, count=60, seed=9)
    written = quantize(model, record_and_trace(model)[0]).model
    reference = np.stack(running.run_many(model, data, Kernels.DEFAULT))
    return running.sqnr_db(reference, np.stack(running.run_many(written, data, Kernels.DEFAULT)))


def test_a_scale_may_clip_what_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means span a part of what they are taken of; steps for its extremes are too wide for them."""
    model = wide_pools_net()
    searched = error_db(model)
    record, _ = record_and_trace(model)
    pooled = next(t for t in record.tensors if t.index in group_of(model, "RESHAPE").tensors)
    assert pooled.scale * 255 < 0.95 * pooled.observed[1]
    monkeypatch.setattr(ActivationScales, "_hides_averages", lambda self, group: True)
    assert searched > error_db(model) + 1


@pytest.mark.parametrize("reader", ["output", "logistic"])
def test_averages_with_readers_that_cannot_judge_are_not_clipped(reader: str) -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 16, stride=2, seed=1))
        pooled = tf.nn.avg_pool2d(x, 3, 3, "VALID")
        y = models.conv(pooled, 4, size=1, seed=3)
        return y, (pooled if reader == "output" else tf.sigmoid(pooled))

    model = models.convert(network, models.IMAGE)
    record, _ = record_and_trace(model)
    group = group_of(model, "AVERAGE_POOL_2D")
    for tensor in record.tensors:
        if tensor.index in group.tensors:
            largest = max(t.observed[1] for t in record.tensors if t.index in group.tensors)
            assert tensor.scale * 255 >= largest * (1 - 1e-6)
