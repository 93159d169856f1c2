"""Sizes that a model leaves open, given when it is quantized."""

from __future__ import annotations

import functools

import pytest
import tensorflow as tf

from tests import models
from tests.normalization.networks import Builder
from tests.running import run, sqnr_db
from tflite_eq import Config, quantize
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.input_sizes import given
from tflite_eq.record.record import Calibration

SIZES = (1, 16, 12, 3)


@functools.cache
def open_network() -> bytes:
    """Batch, height and width are open; their sizes are computed with."""

    def network(x):
        x = tf.nn.relu(models.conv(x, 8, stride=2, seed=1))
        y = tf.image.resize(x, 2 * tf.shape(x)[1:3], method="nearest")
        y = tf.nn.relu(models.conv(y, 8, seed=2))
        return models.conv(tf.reshape(y, tf.shape(y)), 4, size=1, seed=3)

    return models.convert(network, (None, None, None, 3))


def test_the_result_takes_other_sizes_as_the_float_model_does() -> None:
    result = quantize(open_network(), models.samples(SIZES), Config(input_shape=SIZES))
    graph = Graph.from_bytes(result.model)
    assert graph.signature(graph.inputs[0]) == (-1, -1, -1, 3)
    for shape in (SIZES, (3, 24, 20, 3)):
        (probe,) = models.samples(shape, count=1, seed=3)
        expected, found = run(open_network(), probe)[0], run(result.model, probe)[0]
        assert found.shape == expected.shape
        assert sqnr_db(expected, found) > 25


def test_or_these_sizes_alone() -> None:
    config = Config(input_shape=SIZES, fix_input_shape=True)
    result = quantize(open_network(), models.samples(SIZES), config)
    graph = Graph.from_bytes(result.model)
    assert graph.signature(graph.inputs[0]) == SIZES
    assert not any(tensor.dynamic for tensor in graph.tensors)
    assert not {"SHAPE", "PACK", "STRIDED_SLICE"} & {o.kind for o in graph.operators}
    assert result.report.summary["normalized"][0] == "input sizes fixed at [1, 16, 12, 3]"
    (probe,) = models.samples(SIZES, count=1, seed=3)
    assert sqnr_db(run(open_network(), probe)[0], run(result.model, probe)[0]) > 25


def test_shapes_are_right_for_the_sizes() -> None:
    result = quantize(open_network(), models.samples(SIZES), Config(input_shape=SIZES))
    graph = Graph.from_bytes(result.model)
    assert graph.tensors[graph.outputs[0]].shape == (1, 16, 12, 4)


def test_a_record_remembers_them(tmp_path) -> None:
    config = Config(input_shape=SIZES, fix_input_shape=True)
    result = quantize(open_network(), models.samples(SIZES), config)
    result.calibration.save(tmp_path / "record.json")
    again = quantize(open_network(), Calibration.load(tmp_path / "record.json"))
    assert again.model == result.model


def test_an_open_batch_alone_is_fixed_at_1() -> None:
    result = quantize(models.keras_net(), models.data("keras_net"), Config(fix_input_shape=True))
    graph = Graph.from_bytes(result.model)
    assert graph.signature(graph.inputs[0])[0] == 1
    assert not any(tensor.dynamic for tensor in graph.tensors)


def test_other_open_sizes_have_to_be_named() -> None:
    with pytest.raises(ConfigError, match=r"open sizes \[-1, -1, -1, 3\]; .*--input_shape 1,1,1,3"):
        quantize(open_network(), models.samples(SIZES), Config(fix_input_shape=True))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ((1, 16, 12), r"has the shape \[any, any, any, 3\], which \[1, 16, 12\] does not fit"),
        ((1, 16, 12, 4), r"which \[1, 16, 12, 4\] does not fit"),
        ({"picture": SIZES}, r"has the inputs .*'x0', not 'picture'; write NAME:SIZES"),
    ],
)
def test_what_does_not_fit_is_refused(shapes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        quantize(open_network(), models.samples(SIZES), Config(input_shape=shapes))


def test_with_several_inputs_a_name_is_needed() -> None:
    data = models.convert(lambda x, y: x + y, (None, 3), (None, 3))
    graph = Graph.from_bytes(data)
    with pytest.raises(ConfigError, match="and the shape does not say which it is for"):
        given(graph, [("", (2, 3))], False)
    named = given(graph, [("x1", (2, 3))], False)[0]
    assert [named.tensors[index].shape[0] for index in named.inputs].count(2) == 1


@pytest.mark.parametrize(
    "value", ["1,2", (0, 2), (1.5,), {"x": 3}, 7, [("x", (1,)), ("x", (2,))], {1: (1, 2)}, [[]]]
)
def test_what_is_no_shape_is_refused(value) -> None:
    with pytest.raises(ConfigError, match=r"^input_shape"):
        Config(input_shape=value)


def test_a_fixed_network_stays_as_it_is() -> None:
    net = Builder(*SIZES)
    graph = Graph.from_bytes(net.finished(net.convolution(net.input)))
    assert given(graph, [("", SIZES)], True) == (graph, None)
