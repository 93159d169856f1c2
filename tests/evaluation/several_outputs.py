"""Networks with several outputs whose distance from one another is known."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import models
from tflite_eq.graph import schema

Array = npt.NDArray[Any]

IMAGE = (1, 6, 6, 3)


class Held:
    """Samples in memory, in the form a comparison takes them."""

    def __init__(self, samples: list[Any]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        return self._samples[index]

    def name(self, index: int) -> str:
        return f"held {index}"


@functools.cache
def images(count: int = 5) -> tuple[Array, ...]:
    rng = np.random.default_rng(3)
    return tuple(rng.standard_normal(IMAGE).astype(np.float32) for _ in range(count))


@functools.cache
def network(map_factor: float = 1.0, vector_factor: float = 1.0, bump: float = 0.0) -> bytes:
    """A map [1, 6, 6, 4] and a vector [1, 3], multiplied by factors.

    ``bump`` times the sample's largest value is added to one value of the vector.
    """
    import tensorflow as tf

    def function(x: Any) -> Any:
        y = models.conv(x, 4, seed=1)
        z = models.dense(tf.reduce_mean(y, [1, 2]), 3, seed=2)
        place = tf.constant([[0.0, 1.0, 0.0]]) * tf.reduce_max(x) * bump
        return y * map_factor, z * vector_factor + place

    return models.convert(function, IMAGE)


@functools.cache
def chosen(threshold: float, integers: bool) -> bytes:
    """The values above a threshold, or their positions: as many as there are."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        flat = tf.reshape(models.conv(x, 4, seed=1), [-1])
        positions = tf.reshape(tf.where(flat > threshold), [-1])
        return positions if integers else tf.gather(flat, positions)

    return models.convert(function, IMAGE)


@functools.cache
def classes(seed: int) -> bytes:
    """The class of every pixel, int64 [1, 6, 6]."""
    import tensorflow as tf

    return models.convert(lambda x: tf.argmax(models.conv(x, 4, seed=seed), axis=-1), IMAGE)


def edited(model: bytes, change: Callable[[Any], None]) -> bytes:
    """A model whose one subgraph was changed."""
    parsed = schema.parse(model)
    parsed.signatureDefs = None
    change(parsed.subgraphs[0])
    return schema.serialize(parsed)


def with_outputs_swapped(model: bytes) -> bytes:
    def swap(subgraph: Any) -> None:
        subgraph.outputs = list(subgraph.outputs)[::-1]

    return edited(model, swap)


def with_outputs_renamed(model: bytes) -> bytes:
    def rename(subgraph: Any) -> None:
        for number, index in enumerate(subgraph.outputs):
            subgraph.tensors[index].name = f"renamed_{number}".encode()

    return edited(model, rename)
