"""Activation functions as operators of their own behind what can fuse them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import shared_data
from tests.built_models import IMAGE, NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tests.running import run
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import fused_activation
from tflite_eq.normalization.fused_activations import fused

_ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")


def layer(net: NetworkBuilder, kind: str, activation: str = "NONE") -> int:
    """An operator of a kind, with a fused activation function."""
    code = getattr(schema.schema().ActivationFunctionType, activation)
    pair = [net.input, net.constant(np.float32([-1.5, 0.5, 2.0]))]
    fusing = {"fusedActivationFunction": code}
    if kind == "CONV_2D":
        return net.conv(net.input, 4, activation=activation)
    if kind == "DEPTHWISE_CONV_2D":
        return net.depthwise(net.input, activation)
    if kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        window = dict.fromkeys(("strideH", "strideW", "filterHeight", "filterWidth"), 2)
        shape = (1, IMAGE[1] // 2, IMAGE[2] // 2, 3)
        return net.operator(kind, [net.input], shape, ("Pool2DOptions", {**window, **fusing}))
    if kind == "CONCATENATION":
        options = ("ConcatenationOptions", {"axis": 3})
        return net.operator(kind, [net.input, net.input], (*IMAGE[:3], 6), options)
    if kind == "FULLY_CONNECTED":
        options = ("FullyConnectedOptions", fusing)
        filters = net.constant(np.float32(np.random.default_rng(1).normal(size=(5, 432))))
        return net.operator(kind, [net.reshape(net.input, 1, 432), filters, -1], (1, 5), options)
    return net.operator(kind, pair, IMAGE, (f"{kind.title()}Options", fusing))


_FUSING = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DIV",
    "FULLY_CONNECTED",
    "L2_POOL_2D",
    "MAX_POOL_2D",
    "MUL",
    "SUB",
]


@pytest.mark.parametrize("kind", _FUSING)
@pytest.mark.parametrize("activation", _ACTIVATIONS)
def test_fuses_what_kernels_compute_themselves(kind: str, activation: str) -> None:
    net = NetworkBuilder(*IMAGE)
    data = net.finished(net.elementwise(activation, layer(net, kind)))
    graph, change = after(data, fused)
    assert kinds(graph)[-1] == kind
    assert fused_activation(graph.operators[-1]) == activation
    assert change == "1 activation function fused into the operator in front"


@pytest.mark.parametrize(
    ("inner", "outer", "together"),
    [
        ("RELU", "RELU", "RELU"),
        ("RELU", "RELU6", "RELU6"),
        ("RELU6", "RELU", "RELU6"),
        ("RELU6", "RELU6", "RELU6"),
        ("RELU_N1_TO_1", "RELU_N1_TO_1", "RELU_N1_TO_1"),
        ("RELU_N1_TO_1", "RELU", None),
        ("RELU6", "RELU_N1_TO_1", None),
    ],
)
def test_behind_a_fused_one(inner: str, outer: str, together: str | None) -> None:
    net = NetworkBuilder(*IMAGE)
    data = net.finished(net.elementwise(outer, layer(net, "CONV_2D", inner)))
    graph, _ = after(data, fused)
    assert kinds(graph) == (["CONV_2D"] if together else ["CONV_2D", outer])
    assert fused_activation(graph.operators[0]) == (together or inner)


def test_several_in_a_row() -> None:
    net = NetworkBuilder(*IMAGE)
    x = net.elementwise("RELU", layer(net, "CONV_2D"))
    graph, change = after(net.finished(net.elementwise("RELU6", x)), fused)
    assert kinds(graph) == ["CONV_2D"]
    assert fused_activation(graph.operators[0]) == "RELU6"
    assert change == "2 activation functions fused into the operator in front"


def test_layers_result_that_is_read_or_given_out_stays() -> None:
    for is_output in (True, False):
        net = NetworkBuilder(*IMAGE)
        x = layer(net, "CONV_2D")
        y = net.elementwise("RELU", x)
        data = net.finished(*([x, y] if is_output else [net.elementwise("MUL", x, y)]))
        _, change = after(data, fused)
        assert change is None


@pytest.mark.parametrize("kind", ["CONCATENATION", "LOGISTIC"])
def test_kernels_that_fuse_none_are_left_alone(kind: str) -> None:
    net = NetworkBuilder(*IMAGE)
    x = net.elementwise(kind, net.input) if kind == "LOGISTIC" else layer(net, kind)
    _, change = after(net.finished(net.elementwise("RELU", x)), fused)
    assert change is None


def test_quantizes_to_the_fused_operators() -> None:
    net = NetworkBuilder(*IMAGE)
    x = net.elementwise("RELU", net.conv(net.input, 8))
    x = net.elementwise("RELU6", net.depthwise(x))
    x = net.elementwise("RELU", net.elementwise("ADD", x, net.conv(x, 8)))
    result = quantize(net.finished(net.dense(net.spatial("MEAN", x), 4)), samples())
    found = kinds(Graph.from_bytes(result.model))
    assert not {"RELU", "RELU6"} & set(found)
    assert result.report.summary["normalized"] == [
        "3 activation functions fused into the operator in front"
    ]


@pytest.mark.parametrize("name", ["conv_relu_a", "old_opcodes"])
def test_small_models_with_a_relu_of_its_own(name: str) -> None:
    """The second one has its operator codes in the field of files from before 2020 alone."""
    data = shared_data.repro(f"{name}.tflite").read_bytes()
    graph, _ = after(data, fused)
    assert kinds(graph).count("RELU") == 0
    (images,) = np.load(shared_data.repro("conv_relu.npz")).values()
    batch = [[image[np.newaxis]] for image in images[:4]]
    result = quantize(data, batch)
    assert not any(t.is_float and t.is_constant for t in Graph.from_bytes(result.model).tensors)
    assert _error(data, result.model, batch) < 0.1


def _error(data: bytes, quantized: bytes, batch: Any) -> float:
    expected = np.concatenate([run(data, inputs)[0] for inputs in batch])
    found = np.concatenate([run(quantized, inputs)[0] for inputs in batch])
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
