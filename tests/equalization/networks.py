"""Networks whose channels differ in range, and what the tests ask about domains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tests import models
from tflite_eq.data.dataset import SampleReader
from tflite_eq.equalization.domains import Domain, Port
from tflite_eq.graph import properties, schema
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.model import Graph
from tflite_eq.statistics.channels import ChannelStatistics, observe_channels

Array = npt.NDArray[Any]

SPREAD = np.geomspace(0.02, 30, 8).astype(np.float32)


def identity(x: Any) -> Any:
    return x


def leaky(x: Any) -> Any:
    return tf.nn.leaky_relu(x, 0.1)


def uneven(activation: Any, name: str = "") -> bytes:
    """``uneven_network`` as a float ``.tflite``."""
    return models.convert(uneven_network(activation, name), models.IMAGE)


def uneven_network(activation: Any, name: str = "") -> Callable[[Any], Any]:
    """Convolution, depthwise, convolution, dense; channels of very different range."""

    def network(x: Any) -> Any:
        first = models.weights(3, 3, 3, 8, seed=1) * SPREAD
        x = activation(tf.nn.bias_add(tf.nn.conv2d(x, first, 1, "SAME"), models.biases(8, 1)))
        if name == "pool":
            x = tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2, 2, "VALID")
        middle = models.weights(3, 3, 8, 1, seed=2, gain=4.0) / SPREAD[:, None]
        x = tf.nn.depthwise_conv2d(x, middle, [1, 1, 1, 1], "SAME")
        x = activation(tf.nn.bias_add(x, models.biases(8, 2)))
        x = activation(models.conv(x, 6, size=1, seed=3))
        return models.dense(tf.reduce_mean(x, [1, 2]), 5, seed=4)

    return network


def with_spread(
    spread: Array, reader: str = "conv", activation: Any = tf.nn.relu, alive: Array | float = 1.0
) -> bytes:
    """Channels that differ by ``spread``, which the weights that read them undo.

    Channels whose ``alive`` is 0 are always 0.
    """
    count = len(spread)

    def network(x: Any) -> Any:
        written = models.weights(3, 3, 3, count, seed=1) * (spread * alive)
        x = activation(tf.nn.conv2d(x, written.astype(np.float32), 1, "SAME"))
        if reader == "depthwise":
            read = models.weights(3, 3, count, 2, seed=2, gain=4.0) / spread[:, None]
            x = tf.nn.depthwise_conv2d(x, read.astype(np.float32), [1, 1, 1, 1], "SAME")
        else:
            read = models.weights(3, 3, count, 16, seed=2) / spread[:, None]
            x = tf.nn.conv2d(x, read.astype(np.float32), 1, "SAME")
        return x

    return models.convert(network, models.IMAGE)


def prepared(model: bytes) -> Graph:
    """The float network as the quantizer equalizes it."""
    return with_biases(Graph.from_bytes(model))


def statistics_of(
    graph: Graph, domains: Sequence[Domain], data: Any
) -> dict[int, ChannelStatistics]:
    """What the channels of the domains reach over samples."""
    tensors = sorted({tensor for domain in domains for tensor in domain.tensors})
    return observe_channels(graph, tensors, SampleReader(graph, data), seed=0).channels


def serialized(graph: Graph) -> bytes:
    return schema.serialize(graph.model)


def layers_at(graph: Graph, ports: Sequence[Port]) -> set[tuple[str, int, int]]:
    """Layers as (kind, filters, offset); the test networks give each its own number of filters."""
    found = set()
    for port in ports:
        operator = graph.operators[port.operator]
        outputs = int(graph.tensors[operator.outputs[0]].shape[-1])
        found.add((properties.linear_kind(operator).name, outputs, port.offset))  # type: ignore[union-attr]
    assert len(found) == len(ports)
    return found
