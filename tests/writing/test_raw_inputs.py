"""Inputs of 8-bit integers that the network itself makes real values of."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.normalization.networks import Builder
from tests.running import parameters, run, sqnr_db
from tflite_eq import quantize
from tflite_eq.errors import DatasetError
from tflite_eq.graph import properties
from tflite_eq.graph.edit import with_outputs
from tflite_eq.graph.model import Graph

SHAPE = (1, 16, 16, 3)
ENDS = {"uint8": (0, 255), "int8": (-128, 127)}


def constant(net: Builder, *values: float) -> int:
    return net.constant(np.array(values[0] if len(values) == 1 else values, np.float32))


def plain(net, x):
    return x


def between_minus_one_and_one(net, x):
    x = net.elementwise("MUL", x, constant(net, 1 / 127.5))
    return net.elementwise("SUB", x, constant(net, 1.0))


def around_zero_first(net, x):
    x = net.elementwise("SUB", x, constant(net, 127.5))
    return net.elementwise("MUL", x, constant(net, 1 / 127.5))


def behind_padding(net, x):
    x = net.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return net.of("MUL", [constant(net, 1 / 255), x], net.shape_of(x), "FLOAT32")


def shifted(net, x):
    return net.elementwise("ADD", x, constant(net, 3.0))


def per_channel(net, x):
    return net.elementwise("MUL", x, constant(net, 0.1, 0.2, 0.3))


def turned_round(net, x):
    return net.elementwise("MUL", x, constant(net, -0.1))


def subtracted_from(net, x):
    return net.of("SUB", [constant(net, 1.0), x], net.shape_of(x), "FLOAT32")


PREPROCESSING = [plain, between_minus_one_and_one, around_zero_first, behind_padding, per_channel]


@functools.cache
def network(kind: str, preprocessing) -> bytes:
    net = Builder(*SHAPE)
    net.set_type(net.input, kind.upper())
    x = preprocessing(net, net.of("CAST", [net.input], SHAPE, "FLOAT32"))
    x = net.convolution(x, channels=8, activation="RELU")
    return net.finished(net.dense(net.spatial("MEAN", net.convolution(x, channels=8)), 6))


def samples(kind: str, count: int = 8, seed: int = 0):
    rng = np.random.default_rng(seed)
    low, high = ENDS[kind]
    return [[rng.integers(low, high, SHAPE, kind, endpoint=True)] for _ in range(count)]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("preprocessing", PREPROCESSING)
def test_the_input_stays_what_it_was_and_nothing_is_lost(kind, preprocessing) -> None:
    data = network(kind, preprocessing)
    result = quantize(data, samples(kind))
    written = Graph.from_bytes(result.model)
    (source,) = written.inputs
    assert written.tensors[source].type_name == kind.upper()
    scales, zero_points = parameters(written, source)
    assert (scales.tolist(), zero_points.tolist()) == ([1.0], [0])
    assert written.operators[0].kind == "QUANTIZE"
    assert not any(o.kind in ("CAST", "DEQUANTIZE") for o in written.operators[:-1])
    (probe,) = samples(kind, count=1, seed=5)
    assert sqnr_db(run(data, probe)[0], run(result.model, probe)[0]) > 35


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_every_integer_has_its_code(kind) -> None:
    written = Graph.from_bytes(quantize(network(kind, plain), samples(kind)).model)
    codes = written.operators[0].outputs[0]
    low, high = ENDS[kind]
    values = np.resize(np.arange(low, high + 1), SHAPE).astype(kind)
    (found,) = run(with_outputs(written, [codes]), [values])
    expected = values.astype(int) - (128 if kind == "uint8" else 0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("preprocessing", [between_minus_one_and_one, behind_padding])
def test_preprocessing_keeps_them_apart_however_few_the_samples_show(preprocessing) -> None:
    dark = [[x // 7 + 100] for (x,) in samples("uint8")]
    written = Graph.from_bytes(quantize(network("uint8", preprocessing), dark).model)
    first = next(o for o in written.operators if o.kind == "CONV_2D").inputs[0]
    values = np.resize(np.arange(256), SHAPE).astype(np.uint8)
    (codes,) = run(with_outputs(written, [first]), [values])
    assert len(np.unique(codes)) >= 255


@pytest.mark.parametrize(
    ("kind", "preprocessing", "scale", "zero"),
    [
        ("uint8", plain, 1.0, -128),
        ("uint8", between_minus_one_and_one, 1 / 127.5, -0.5),
        ("uint8", around_zero_first, 1 / 127.5, -0.5),
        ("uint8", behind_padding, 1 / 255, -128),
        ("int8", plain, 1.0, 0),
        ("int8", shifted, 1.0, -3),
        ("int8", between_minus_one_and_one, 1 / 127.5, 127),
    ],
)
def test_one_code_for_each_integer(kind, preprocessing, scale, zero) -> None:
    found = before_the_layer(network(kind, preprocessing))
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert abs(found.zero_point - zero) <= 0.5


@pytest.mark.parametrize(
    ("kind", "preprocessing"),
    [
        ("uint8", shifted),  # 0 would have the code -131
        ("uint8", per_channel),
        ("uint8", turned_round),
        ("uint8", subtracted_from),
    ],
)
def test_other_preprocessing_is_calibrated(kind, preprocessing) -> None:
    assert before_the_layer(network(kind, preprocessing)) is None


def before_the_layer(data: bytes):
    """Parameters that are prescribed for what the first layer reads."""
    graph = Graph.from_bytes(data)
    layer = next(o for o in graph.operators if o.kind == "CONV_2D")
    return properties.fixed_output(graph, graph.producer(layer.inputs[0]))


def test_real_values_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"gives float32 for input .* which is uint8"):
        quantize(network("uint8", plain), [[np.ones(SHAPE, np.float32)]])


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_a_record_is_applied_without_samples(kind) -> None:
    data = network(kind, plain)
    result = quantize(data, samples(kind))
    assert quantize(data, result.calibration).model == result.model
