from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests import models
from tflite_eq.errors import DatasetError
from tflite_eq.graph import schema
from tflite_eq.graph.inputs import (
    ModelInput,
    check_names,
    find_input,
    listed,
    model_inputs,
    signature_names,
)
from tflite_eq.graph.model import Graph


def named(name: str, tensor_name: str) -> ModelInput:
    return dataclasses.replace(ModelInput.of_shape((1, 2), name), tensor_name=tensor_name)


TWO = (named("content", "serving_default_content:0"), named("style", "serving_default_style:0"))


@pytest.mark.parametrize("prefix", ["", "serving_default_"])
@pytest.mark.parametrize("suffix", ["", ":0", ":1"])
def test_what_tensorflow_puts_around_a_name_does_not_matter(prefix: str, suffix: str) -> None:
    assert find_input(TWO, f"{prefix}style{suffix}") == TWO[1]
    bare = (named("x", "x"), named("serving_default_y:0", "serving_default_y:0"))
    assert find_input(bare, f"{prefix}y{suffix}") == bare[1]
    assert find_input(bare, f"{prefix}x{suffix}") == bare[0]


def test_a_name_that_no_input_has() -> None:
    for name in ("", "styl", "style_0", "Style", "serving_default_"):
        assert find_input(TWO, name) is None


def test_a_name_that_two_inputs_may_have_is_refused_unless_written_out() -> None:
    both = (named("x:0", "x:0"), named("x:1", "x:1"))
    assert find_input(both, "x:1") == both[1]
    with pytest.raises(DatasetError, match=r"'x' may be 'x:0' or 'x:1'; write the name out"):
        find_input(both, "x")


def test_the_signature_has_the_first_word() -> None:
    crossed = (named("a", "b"), named("b", "a"))
    assert find_input(crossed, "a") == crossed[0]
    assert find_input(crossed, "b") == crossed[1]


@given(st.lists(st.text("ab:0_", min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
def test_every_input_is_found_by_its_own_name(names: list[str]) -> None:
    inputs = [named(name, f"tensor_{name}") for name in names]
    for one in inputs:
        assert find_input(inputs, one.name) == one


def test_equal_names_are_refused() -> None:
    check_names(TWO)
    with pytest.raises(DatasetError, match=r"2 inputs with the name 'x'"):
        check_names((named("x", "x"), named("x", "x")))


@pytest.mark.parametrize(
    ("shape", "sample", "row", "wanted"),
    [
        ((-1, 8, 8, 3), (1, 8, 8, 3), (8, 8, 3), "[N, 8, 8, 3]"),
        ((1, 8, 8, 3), (1, 8, 8, 3), (8, 8, 3), "[N, 8, 8, 3]"),
        ((1, -1, -1, 3), (1, -1, -1, 3), (-1, -1, 3), "[N, any, any, 3]"),
        ((15600,), (15600,), (15600,), "[N, 15600]"),
        ((2, 8, 8, 3), (2, 8, 8, 3), (2, 8, 8, 3), "[N, 2, 8, 8, 3]"),
        ((1,), (1,), (), "[N]"),
        ((), (), (), "[N]"),
    ],
)
def test_shape_of_a_sample(
    shape: tuple[int, ...], sample: tuple[int, ...], row: tuple[int, ...], wanted: str
) -> None:
    one = ModelInput.of_shape(shape)
    assert (one.shape, one.row_shape, one.wanted) == (sample, row, wanted)
    assert one.is_batched == (len(row) < len(sample))


def test_inputs_of_a_model_have_the_signatures_names_and_their_own_types() -> None:
    def network(x: tf.Tensor, ids: tf.Tensor, flag: tf.Tensor, text: tf.Tensor) -> tuple:
        taken = tf.gather(models.weights(20, 4), ids) * tf.cast(flag, tf.float32)
        return models.conv(x, 4) + taken, text

    traced = tf.function(
        network,
        input_signature=[
            tf.TensorSpec((None, 4, 4, 3), tf.float32, name="x"),
            tf.TensorSpec((1,), tf.int64, name="ids"),
            tf.TensorSpec((), tf.bool, name="flag"),
            tf.TensorSpec((2,), tf.string, name="text"),
        ],
    )
    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    ).convert()
    graph = Graph.from_bytes(model)
    found = {one.name: one for one in model_inputs(graph)}
    assert {name: (one.shape, one.type_name) for name, one in found.items()} == {
        "x": ((1, 4, 4, 3), "float32"),
        "ids": ((1,), "int64"),
        "flag": ((), "bool"),
        "text": ((2,), "string"),
    }
    assert [one.index for one in model_inputs(graph)] == list(graph.inputs)
    assert "'ids' (int64 [1])" in listed(model_inputs(graph))


@pytest.mark.parametrize("kind", [tf.int8, tf.uint8])
def test_codes_stand_for_real_values(kind: tf.DType) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(3)])
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[np.ones((1, 4), np.float32)]]
    converter.inference_input_type = converter.inference_output_type = kind
    (one,) = model_inputs(Graph.from_bytes(converter.convert()))
    assert (one.dtype, one.codes) == (np.float32, np.dtype(kind.as_numpy_dtype))


def test_a_signature_that_leaves_an_input_out_names_none() -> None:
    graph = Graph.from_bytes(models.keras_net())
    assert set(signature_names(graph)) == {one.name for one in model_inputs(graph)} == {"image"}
    parsed = schema.parse(models.keras_net(), "model")
    parsed.signatureDefs[0].inputs.pop()
    assert signature_names(Graph(parsed)) == {}
