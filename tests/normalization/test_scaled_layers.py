"""Factors and shifts behind layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.built_models import IMAGE, NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import fused_activation
from tflite_eq.normalization.scaled_layers import folded


def layer(net: NetworkBuilder, kind: str) -> tuple[int, int]:
    """A layer, and how many channels it gives."""
    random = np.random.default_rng(1)
    if kind == "CONV_2D":
        return net.conv(net.input, 5), 5
    if kind == "DEPTHWISE_CONV_2D":
        return net.depthwise(net.input), 3
    if kind == "FULLY_CONNECTED":
        return net.dense(net.reshape(net.input, 4, 108), 6), 6
    inputs = [
        net.constant(np.array([1, 24, 24, 4], np.int32)),
        net.constant(random.normal(size=(4, 3, 3, 3)).astype(np.float32)),
        net.input,
    ]
    options = ("TransposeConvOptions", {"strideH": 2, "strideW": 2})
    return net.operator("TRANSPOSE_CONV", inputs, (1, 24, 24, 4), options), 4


def shape_of(net: NetworkBuilder, tensor: int) -> tuple[int, ...]:
    return net._shape(tensor)


def operator(
    net: NetworkBuilder, kind: str, x: int, values: Any, first: bool, activation: str = "NONE"
) -> int:
    inputs = [x, net.constant(np.asarray(values, np.float32))]
    code = getattr(schema.schema().ActivationFunctionType, activation)
    options = (f"{kind.title()}Options", {"fusedActivationFunction": code})
    return net.operator(kind, inputs[::-1] if first else inputs, shape_of(net, x), options)


LAYERS = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_chains_become_one_layer(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(LAYERS))
    net = NetworkBuilder(*IMAGE)
    x, channels = layer(net, kind)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    for _ in range(data.draw(st.integers(1, 3))):
        what = data.draw(st.sampled_from(["ADD", "SUB", "MUL", "DIV"]))
        shape = data.draw(st.sampled_from([(), (1,), (channels,), (1, channels)]))
        values = random.uniform(0.5, 2.0, shape) * random.choice([-1, 1], shape)
        first = what != "DIV" and data.draw(st.booleans())
        x = operator(net, what, x, values, first)
    graph, change = after(net.finished(x), folded, within=3e-6)
    assert kinds(graph)[-1] == kind
    assert change is not None


@pytest.mark.parametrize("activation", ["RELU", "RELU6"])
def test_fused_activation_is_the_layers(activation: str) -> None:
    net = NetworkBuilder(*IMAGE)
    x, _ = layer(net, "CONV_2D")
    x = operator(net, "ADD", operator(net, "MUL", x, 2.0, False), 0.5, False, activation)
    graph, change = after(net.finished(x), folded, within=1e-6)
    assert kinds(graph) == ["CONV_2D"]
    assert fused_activation(graph.operators[0]) == activation
    assert change == "2 operators folded into the filter or bias in front"


def test_what_the_layer_cannot_take_stays() -> None:
    def whole_picture(net: NetworkBuilder, x: int) -> list[int]:
        return [operator(net, "MUL", x, np.arange(12 * 12 * 5).reshape(1, 12, 12, 5), False)]

    def rows(net: NetworkBuilder, x: int) -> list[int]:
        return [operator(net, "MUL", x, np.arange(12).reshape(1, 12, 1, 1), False)]

    def quotient(net: NetworkBuilder, x: int) -> list[int]:
        return [operator(net, "DIV", x, 1.0, True)]

    def by_zero(net: NetworkBuilder, x: int) -> list[int]:
        return [operator(net, "DIV", x, [1.0, 0.0, 1.0, 1.0, 1.0], False)]

    def given_out(net: NetworkBuilder, x: int) -> list[int]:
        return [operator(net, "MUL", x, 2.0, False), x]

    def read(net: NetworkBuilder, x: int) -> list[int]:
        return [net.elementwise("MUL", operator(net, "MUL", x, 2.0, False), x)]

    for end in (whole_picture, rows, quotient, by_zero, given_out, read):
        net = NetworkBuilder(*IMAGE)
        x, _ = layer(net, "CONV_2D")
        _, change = after(net.finished(*end(net, x)), folded, within=None)
        assert change is None, end.__name__


def test_behind_an_activation_function_stays() -> None:
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 4, activation="RELU")
    _, change = after(net.finished(operator(net, "MUL", x, 2.0, False)), folded)
    assert change is None


def test_filter_of_two_layers_is_scaled_for_one() -> None:
    net = NetworkBuilder(4, 6)
    filters = net.constant(np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))
    one, other = net.dense_of(net.input, filters), net.dense_of(net.input, filters)
    data = net.finished(operator(net, "MUL", one, 3.0, False), other)
    graph, _ = after(data, folded, within=1e-6)
    assert kinds(graph) == ["FULLY_CONNECTED", "FULLY_CONNECTED"]


def test_batch_normalization_in_parts_is_quantized_as_the_layer() -> None:
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 8)
    x = operator(net, "MUL", x, np.linspace(0.2, 3, 8), False)
    x = net.elementwise("RELU", operator(net, "ADD", x, np.linspace(-1, 1, 8), False))
    result = quantize(net.finished(net.dense(net.spatial("MEAN", x), 4)), samples())
    assert kinds(Graph.from_bytes(result.model))[1:-1] == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]
