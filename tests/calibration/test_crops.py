"""Networks for large pictures are calibrated on parts of them, where parts tell as much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import quantize
from tflite_eq.calibration import crops
from tflite_eq.calibration.crops import CroppedSamples, for_parts, part_of
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels

SIZE = 64
SHAPE = (1, SIZE, SIZE, 3)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "_MOST_VALUES", 30_000)
    monkeypatch.setattr(crops, "_VALUES", 10_000)
    monkeypatch.setattr(crops, "_SHORTEST", 16)


def upscaling(x: Any) -> Any:
    x = tf.nn.relu(models.conv(x, 8, seed=1))
    y = x + models.conv(tf.nn.relu(models.conv(x, 8, seed=2)), 8, seed=3)
    return tf.nn.depth_to_space(models.conv(y, 12, seed=4), 2)


def u_net(x: Any) -> Any:
    x = tf.nn.relu(models.conv(x, 8, seed=1))
    y = tf.nn.max_pool2d(x, 2, 2, "SAME")
    y = tf.nn.leaky_relu(models.conv(y, 8, seed=2), 0.1)
    y = tf.image.resize(y, (SIZE, SIZE), "nearest")
    return models.conv(tf.concat([x, y], -1), 4, seed=3)


def pooled(x: Any) -> Any:
    x = tf.nn.relu(models.conv(x, 8, seed=1))
    return models.dense(tf.reduce_mean(x, [1, 2]), 4, seed=2)


def attended(x: Any) -> Any:
    x = tf.nn.relu(models.conv(x, 8, seed=1))
    return models.conv(x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)), 4, seed=2)


def masked(x: Any) -> Any:
    """Not the same everywhere: a constant has another value for each pixel."""
    x = tf.nn.relu(models.conv(x, 8, seed=1))
    mask = np.random.default_rng(0).uniform(size=(1, SIZE, SIZE, 1)).astype(np.float32)
    return models.conv(x * mask, 4, seed=2)


def network(layers: Callable[[Any], Any]) -> bytes:
    return models.convert(layers, SHAPE)


def graph_of(layers: Callable[[Any], Any]) -> Graph:
    return prepared(network(layers), "m").front


@pytest.mark.parametrize(("layers", "scale"), [(upscaling, 2), (u_net, 1)])
def test_parts_have_the_operators_of_the_whole(
    small_limits: None, layers: Callable[[Any], Any], scale: int
) -> None:
    graph = graph_of(layers)
    smaller = for_parts(graph)
    assert smaller is not None
    side = smaller.tensors[smaller.inputs[0]].shape[1]
    assert 16 <= side < SIZE
    assert smaller.tensors[smaller.outputs[0]].shape[1:3] == (side * scale, side * scale)
    kinds = [[operator.kind for operator in g.operators] for g in (graph, smaller)]
    assert kinds[0] == kinds[1]
    for one, other in zip(graph.tensors, smaller.tensors):
        assert (one.name, len(one.shape)) == (other.name, len(other.shape))


@pytest.mark.parametrize("layers", [upscaling, u_net])
def test_inside_a_part_values_are_those_of_the_whole(
    small_limits: None, layers: Callable[[Any], Any]
) -> None:
    graph = graph_of(layers)
    smaller = for_parts(graph)
    assert smaller is not None
    [sample] = models.samples(SHAPE, count=1)
    part = part_of(sample, smaller)
    whole, found = (
        running.run(schema.serialize(g.model), x)[0] for g, x in ((graph, sample), (smaller, part))
    )
    scale = whole.shape[1] // SIZE
    edge, size = 6 * scale, found.shape[1]
    start = (whole.shape[1] - size) // 2
    inside = whole[:, start + edge : start + size - edge, start + edge : start + size - edge]
    np.testing.assert_allclose(found[:, edge:-edge, edge:-edge], inside, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", [pooled, attended, masked])
def test_networks_that_look_at_all_of_a_picture_are_given_all_of_it(
    small_limits: None, layers: Callable[[Any], Any]
) -> None:
    assert for_parts(graph_of(layers)) is None


def test_pictures_that_are_not_large_are_not_cut() -> None:
    assert for_parts(graph_of(upscaling)) is None


def test_samples_give_parts_at_places_of_their_own(small_limits: None) -> None:
    graph = graph_of(upscaling)
    smaller = for_parts(graph)
    assert smaller is not None
    picture = np.arange(SIZE * SIZE * 3, dtype=np.float32).reshape(SHAPE)
    with StoredSamples(graph, [[picture]] * 20) as whole:
        parts = [x[graph.inputs[0]] for x in CroppedSamples(whole, smaller, seed=1)]
        again = [x[graph.inputs[0]] for x in CroppedSamples(whole, smaller, seed=1)]
    side = smaller.tensors[smaller.inputs[0]].shape[1]
    assert {part.shape for part in parts} == {(1, side, side, 3)}
    np.testing.assert_array_equal(parts, again)
    corners = {int(part[0, 0, 0, 0]) for part in parts}
    assert len(corners) > 10
    for part in parts:
        top, left = divmod(int(part[0, 0, 0, 0]) // 3, SIZE)
        np.testing.assert_array_equal(part, picture[:, top : top + side, left : left + side])


@pytest.mark.parametrize("layers", [upscaling, u_net])
def test_files_are_for_whole_pictures_and_as_close_as_those_calibrated_on_them(
    layers: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, data = network(layers), models.samples(SHAPE, count=16)
    unseen = models.samples(SHAPE, count=6, seed=9)
    exact = np.stack(running.run_many(model, unseen, Kernels.BUILTIN))
    whole = quantize(model, data)
    assert "large pictures" not in capsys.readouterr().err
    monkeypatch.setattr(crops, "_MOST_VALUES", 30_000)
    monkeypatch.setattr(crops, "_VALUES", 10_000)
    monkeypatch.setattr(crops, "_SHORTEST", 24)
    parts = quantize(model, data)
    assert "note: large pictures: looks at a part of" in capsys.readouterr().err
    assert parts.calibration.samples == whole.calibration.samples
    assert parts.calibration.data_sha256 == whole.calibration.data_sha256
    closeness = [
        running.sqnr_db(exact, np.stack(running.run_many(result.model, unseen, Kernels.BUILTIN)))
        for result in (whole, parts)
    ]
    assert closeness[1] > closeness[0] - 1.5
