"""Gathered rows times filters against the convolution kernels themselves."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests import models, running
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import LinearKind
from tflite_eq.search import rows


def only_layer(model: bytes) -> LinearLayer:
    return next(iter(linear_layers(Graph.from_bytes(model)).values()))


def assert_rows_give_the_output(model: bytes, shape: tuple[int, ...]) -> None:
    layer = only_layer(model)
    values = models.samples(shape, count=1)[0][0]
    expected = running.run(model, [values])[0]
    pixels = rows.output_pixels(layer, values.shape)
    positions = np.arange(np.prod(pixels))
    gathered = rows.gather_rows(layer, values, positions)
    filters = rows.grouped_filters(layer, layer.filters)
    output = np.matmul(gathered, filters.transpose(0, 2, 1))
    output = np.moveaxis(output, 0, 1).reshape(*pixels, layer.channels) + layer.bias_values
    np.testing.assert_allclose(output.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("size", "stride", "dilation"),
    [(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 1), (3, 1, 1), (3, 2, 1), (3, 3, 1), (3, 1, 2),
     (3, 1, 3), (5, 1, 1), (5, 2, 1)],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 9, 9, 4), (2, 8, 11, 4)])
def test_convolution(
    shape: tuple[int, ...], size: int, stride: int, dilation: int, padding: str
) -> None:
    def network(x: Any) -> Any:
        return models.conv(x, 3, size, stride, padding=padding, dilation=dilation)

    assert_rows_give_the_output(models.convert(network, shape), shape)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_grouped_convolution(groups: int, stride: int) -> None:
    shape = (1, 7, 9, 8)
    model = models.convert(lambda x: models.conv(x, 12, 3, stride, groups=groups), shape)
    assert only_layer(model).groups == groups
    assert_rows_give_the_output(model, shape)


@pytest.mark.parametrize(
    ("multiplier", "stride", "padding", "size"),
    list(itertools.product([1, 2, 3], [1, 2], ["SAME", "VALID"], [2, 3])),
)
def test_depthwise_convolution(multiplier: int, stride: int, padding: str, size: int) -> None:
    shape = (1, 9, 7, 3)
    model = models.convert(
        lambda x: models.depthwise(x, multiplier, size, stride, 0, padding), shape
    )
    layer = only_layer(model)
    assert layer.kind is LinearKind.DEPTHWISE
    assert layer.groups == 3
    assert_rows_give_the_output(model, shape)


@pytest.mark.parametrize("shape", [(1, 6), (5, 6), (2, 3, 6)])
def test_dense(shape: tuple[int, ...]) -> None:
    model = models.convert(lambda x: models.dense(x, 4), shape)
    assert only_layer(model).kind is LinearKind.DENSE
    assert_rows_give_the_output(model, shape)


def test_transpose_convolution_is_not_sampled() -> None:
    layers = linear_layers(Graph.from_bytes(models.transpose_conv_net())).values()
    supported = {layer.kind: rows.supports_rows(layer) for layer in layers}
    assert supported == {LinearKind.CONV: True, LinearKind.TRANSPOSE: False}


def test_positions_are_distinct_sorted_and_reproducible() -> None:
    layer = only_layer(models.convert(lambda x: models.conv(x, 3), (1, 20, 20, 2)))
    draws = [
        rows.row_positions(layer, (1, 20, 20, 2), 50, np.random.default_rng(3)) for _ in range(2)
    ]
    np.testing.assert_array_equal(*draws)
    assert len(set(draws[0].tolist())) == 50
    assert (np.diff(draws[0]) > 0).all()
    assert draws[0].max() < 400
    everything = rows.row_positions(layer, (1, 20, 20, 2), 500, np.random.default_rng(3))
    np.testing.assert_array_equal(everything, np.arange(400))
