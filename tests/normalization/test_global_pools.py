"""Averages of whole images get a scale of their own: as MEAN."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tests.normalization.networks import Builder, check_same, kinds
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.global_pools import averaged

EXTENT = (6, 5)


def pooled(size, padding="VALID", stride=1, activation=0):
    net = Builder(1, *EXTENT, 3)
    x = net.convolution(net.input, (1, 1))
    height, width = size
    options = {"filterHeight": height, "filterWidth": width, "strideH": stride, "strideW": stride}
    options |= {"padding": int(padding == "VALID"), "fusedActivationFunction": activation}
    result = [-(-n // stride) for n in EXTENT]
    if padding == "VALID":
        result = [(n - window) // stride + 1 for n, window in zip(EXTENT, size)]
    shape = (1, *result, net.shape_of(x)[3])
    return net.finished(net.operator("AVERAGE_POOL_2D", [x], shape, ("Pool2DOptions", options)))


@pytest.mark.parametrize(("padding", "stride"), [("VALID", 1), ("VALID", 3), ("SAME", 6)])
def test_an_average_of_the_whole_image_is_a_mean(padding, stride) -> None:
    data = pooled(EXTENT, padding, stride)
    graph, change = averaged(Graph.from_bytes(data))
    assert kinds(graph) == ["CONV_2D", "MEAN"]
    assert change == "1 AVERAGE_POOL_2D of a whole image made MEAN"
    check_same(data, graph, (1, *EXTENT, 3))


@pytest.mark.parametrize(
    "pool",
    [
        {"size": (6, 4)},
        {"size": (5, 5)},
        {"size": EXTENT, "padding": "SAME"},  # one average for each pixel
        {"size": EXTENT, "activation": 1},
    ],
)
def test_other_averages_stay(pool) -> None:
    graph, change = averaged(Graph.from_bytes(pooled(**pool)))
    assert kinds(graph) == ["CONV_2D", "AVERAGE_POOL_2D"]
    assert change is None


def test_small_averages_of_large_values_keep_their_codes() -> None:
    """Rare large values, whose scale has a handful of codes for the averages."""

    def network(x):
        y = models.tf.nn.relu(models.conv(x, 8, seed=1) - 2.0)
        return models.tf.nn.avg_pool2d(y, 12, 12, "VALID")

    data = models.convert(network, models.IMAGE)
    samples = models.samples(models.IMAGE, count=24)
    result = quantize(data, samples)
    tensors = {tensor.name: tensor for tensor in result.calibration.tensors}
    graph = Graph.from_bytes(data)
    pool = next(o for o in graph.operators if o.kind == "AVERAGE_POOL_2D")
    read, written = (tensors[graph.tensors[i].name] for i in (pool.inputs[0], pool.outputs[0]))
    assert written.scale < read.scale / 4
    assert np.isfinite(written.scale)
