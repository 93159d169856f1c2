"""What TensorFlow cannot convert: one line with the remedy, and TensorFlow's own words as cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tflite_eq import EasyQuantConverter, attach
from tflite_eq.errors import ConfigError, ModelError

SHAPE = (1, 4, 4, 3)
SIGNATURE = [tf.TensorSpec(SHAPE, tf.float32)]


def samples() -> Iterator[list[Any]]:
    for seed in range(2):
        yield [np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)]


def function(body: Callable[[Any], Any]) -> Any:
    return tf.function(body, input_signature=SIGNATURE)


def convolution(image: Any) -> Any:
    return tf.nn.conv2d(image, np.ones((1, 1, 3, 2), np.float32), 1, "SAME")


def singular_values(image: Any) -> Any:
    return tf.linalg.svd(image)[0]


def attached(body: Callable[[Any], Any]) -> Any:
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function(body).get_concrete_function()]
    )
    converter.representative_dataset = samples
    attach(converter)
    return converter


def own(body: Callable[[Any], Any]) -> EasyQuantConverter:
    converter = EasyQuantConverter.from_concrete_functions([function(body).get_concrete_function()])
    converter.representative_dataset = samples
    return converter


@pytest.mark.parametrize("made", [attached, own])
def test_operators_without_a_tflite_form_are_named(made: Callable[..., Any]) -> None:
    with pytest.raises(ModelError, match=r"1 kind.* no TFLite form: Svd; replace them") as caught:
        made(singular_values).convert()
    assert len(str(caught.value).splitlines()) == 1
    assert "Svd" in str(caught.value.__cause__)
    assert not isinstance(caught.value.__cause__, ModelError)


def test_an_attached_converter_passes_on_what_the_data_set_raises() -> None:
    def stopping() -> Iterator[list[Any]]:
        yield from samples()
        raise KeyError("mine") from OSError("disk")

    converter = attached(convolution)
    converter.representative_dataset = stopping
    with pytest.raises(KeyError, match="mine") as caught:
        converter.convert()
    assert isinstance(caught.value.__cause__, OSError)
    converter.representative_dataset = samples  # and the next time is like the first
    assert converter.convert()


def test_an_attached_converter_passes_on_the_quantizers_own_errors() -> None:
    converter = attached(convolution)
    converter.inference_input_type = tf.int16
    with pytest.raises(ConfigError, match="int16 is not one of"):
        converter.convert()


@pytest.mark.parametrize("made", [attached, own])
def test_targets_of_another_kind_are_named(made: Callable[..., Any]) -> None:
    converter = made(convolution)
    converter.target_spec.supported_ops = ["TFLITE_BUILTINS"]
    with pytest.raises(ConfigError, match=r"members of tf\.lite\.OpsSet"):
        converter.convert()


@pytest.mark.parametrize(
    ("functions", "found"),
    [
        ([function(convolution)], "found .*Function; get one .*get_concrete_function"),
        ([convolution], "found function; get one"),
        ([], "found none; give"),
        (None, "found NoneType; give"),
    ],
    ids=["not concrete", "plain", "none", "no list"],
)
def test_what_is_no_concrete_function_is_named(functions: Any, found: str) -> None:
    with pytest.raises(ModelError, match=found):
        EasyQuantConverter.from_concrete_functions(functions)


@pytest.mark.parametrize(
    ("model", "found"), [(None, "type NoneType"), (5, "type int"), (tf.keras.Model, "class Model")]
)
def test_what_is_no_keras_model_is_named(model: Any, found: str) -> None:
    with pytest.raises(ModelError, match=f"expected a Keras model, found .*{found}; give the"):
        EasyQuantConverter.from_keras_model(model)
