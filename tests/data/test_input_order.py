from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import EasyQuantConverter, quantize
from tflite_eq.graph.model import Graph

SHAPE = (6, 6, 2)


@functools.cache
def network(second: tuple[int, ...] = SHAPE) -> Any:
    """The second input was made first, so that it comes first in the file; their ranges differ."""
    layers = tf.keras.layers
    late = tf.keras.Input(second, batch_size=1, name="small")
    early = tf.keras.Input(SHAPE, batch_size=1, name="large")
    heads = [layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(x))) for x in (early, late)]
    return tf.keras.Model([early, late], layers.Concatenate()(heads))


def samples(second: tuple[int, ...] = SHAPE, count: int = 4) -> list[list[Any]]:
    """In Keras' order."""
    rng = np.random.default_rng(0)
    return [
        [
            rng.uniform(-100, 100, (1, *SHAPE)).astype(np.float32),
            rng.uniform(-0.01, 0.01, (1, *second)).astype(np.float32),
        ]
        for _ in range(count)
    ]


def scales(converter: EasyQuantConverter) -> dict[str, float]:
    names = {t.name: t.scale for t in converter.calibration.tensors}
    return {key: next(s for n, s in names.items() if key in n) for key in ("large", "small")}


@pytest.mark.parametrize("second", [SHAPE, (5, 5, 2)])
def test_lists_in_the_order_of_a_keras_model_are_understood(
    second: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    converter = EasyQuantConverter.from_keras_model(network(second))
    converter.representative_dataset = lambda: iter(samples(second))
    model = converter.convert()
    own = Graph.from_bytes(converter.float_model())
    assert "small" in own.tensors[own.inputs[0]].name  # or there is nothing to mend
    found = scales(converter)
    assert found["large"] > 1000 * found["small"]
    assert "by position" not in capsys.readouterr().err
    backwards = samples(second)[0][::-1]
    exact, quantized = (running.run(m, backwards)[0] for m in (converter.float_model(), model))
    assert 10 * np.log10((exact**2).sum() / ((exact - quantized) ** 2).sum()) > 20


def test_lists_that_fit_the_file_alone_are_in_its_order() -> None:
    converter = EasyQuantConverter.from_keras_model(network((5, 5, 2)))
    converter.representative_dataset = [sample[::-1] for sample in samples((5, 5, 2))]
    converter.convert()
    found = scales(converter)
    assert found["large"] > 1000 * found["small"]


def test_inputs_of_one_shape_given_by_position_are_doubted() -> None:
    model = EasyQuantConverter.from_keras_model(network()).float_model()
    result = quantize(model, [sample[::-1] for sample in samples()])
    [warning] = [w for w in result.report.warnings if "by position" in w]
    assert "'small', 'large'" in warning
    named = [dict(zip(("large", "small"), sample)) for sample in samples()]
    assert not any("by position" in w for w in quantize(model, named).report.warnings)


def test_inputs_that_shapes_tell_apart_are_not_doubted() -> None:
    model = EasyQuantConverter.from_keras_model(network((5, 5, 2))).float_model()
    result = quantize(model, [sample[::-1] for sample in samples((5, 5, 2))])
    assert not any("by position" in w for w in result.report.warnings)
    assert not quantize(models.build("conv_net"), models.data("conv_net")).report.warnings
