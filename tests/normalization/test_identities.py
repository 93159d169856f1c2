"""Operators that change nothing, and those that only look as if they did not."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.built_models import NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.identities import removed

SHAPE = (1, 4, 6, 3)

Form = Callable[[NetworkBuilder, int], int]


def options(name: str, **values: Any) -> tuple[str, dict[str, Any]]:
    return name, values


def ints(net: NetworkBuilder, values: Any) -> int:
    return net.constant(np.int32(values))


def floats(net: NetworkBuilder, values: Any) -> int:
    return net.constant(np.float32(values))


def binary(kind: str, values: Any, first: bool = False, activation: str = "NONE") -> Form:
    code = getattr(schema.schema().ActivationFunctionType, activation)

    def form(net: NetworkBuilder, x: int) -> int:
        inputs = [x, floats(net, values)]
        made = options(f"{kind.title()}Options", fusedActivationFunction=code)
        return net.operator(kind, inputs[::-1] if first else inputs, SHAPE, made)

    return form


def pool(kind: str, window: int = 1) -> Form:
    sizes = dict.fromkeys(("filterHeight", "filterWidth"), window)
    made = ("Pool2DOptions", {"strideH": 1, "strideW": 1, **sizes})
    return lambda net, x: net.operator(kind, [x], SHAPE, made)


def pad(kind: str, before: int) -> Form:
    shape = (1, 4 + before, 6, 3)
    paddings = [[0, 0], [before, 0], [0, 0], [0, 0]]
    fill = {"PADV2": [7.0]}.get(kind, [])
    name = {"PAD": "PadOptions", "PADV2": "PadV2Options", "MIRROR_PAD": "MirrorPadOptions"}[kind]
    return lambda net, x: net.operator(
        kind, [x, ints(net, paddings), *(floats(net, f) for f in fill)], shape, (name, {})
    )


def resize(kind: str, height: int, **values: Any) -> Form:
    name = {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}
    made = (f"{name[kind]}Options", values)
    return lambda net, x: net.operator(kind, [x, ints(net, [height, 6])], (1, height, 6, 3), made)


def strided(begin: int, stride: int, shape: tuple[int, ...] = SHAPE) -> Form:
    masks = {"beginMask": 14, "endMask": 15}
    made = ("StridedSliceOptions", masks)
    return lambda net, x: net.operator(
        "STRIDED_SLICE",
        [
            x,
            ints(net, [begin, 0, 0, 0]),
            ints(net, [0] * 4),
            ints(net, [1, stride, 1, 1]),
        ],
        shape,
        made,
    )


def relu_of(kind: str) -> Form:
    return lambda net, x: net.elementwise("RELU", net.elementwise(kind, x))


_WITHOUT_EFFECT: dict[str, Form] = {
    "add 0": binary("ADD", 0.0),
    "0 add": binary("ADD", np.zeros((1, 1, 1, 3)), first=True),
    "sub 0": binary("SUB", 0.0),
    "mul 1": binary("MUL", 1.0),
    "1 mul": binary("MUL", np.ones(3), first=True),
    "div 1": binary("DIV", 1.0),
    "power 1": lambda net, x: net.operator("POW", [x, floats(net, 1.0)], SHAPE, ("PowOptions", {})),
    "pad": pad("PAD", 0),
    "pad of a value": pad("PADV2", 0),
    "mirror": pad("MIRROR_PAD", 0),
    "reshape": lambda net, x: net.reshape(x, *SHAPE),
    "transpose": lambda net, x: net.transpose(x, 0, 1, 2, 3),
    "tile": lambda net, x: net.operator(
        "TILE", [x, ints(net, [1] * 4)], SHAPE, ("TileOptions", {})
    ),
    "broadcast": lambda net, x: net.operator(
        "BROADCAST_TO", [x, ints(net, SHAPE)], SHAPE, ("BroadcastToOptions", {}), version=2
    ),
    "cast": lambda net, x: net.operator("CAST", [x], SHAPE, ("CastOptions", {})),
    "split": lambda net, x: net.operator(
        "SPLIT", [ints(net, 3), x], SHAPE, options("SplitOptions", numSplits=1)
    ),
    "concatenation": lambda net, x: net.operator(
        "CONCATENATION", [x], SHAPE, options("ConcatenationOptions", axis=3)
    ),
    "slice": lambda net, x: net.operator(
        "SLICE", [x, ints(net, [0] * 4), ints(net, [-1] * 4)], SHAPE, ("SliceOptions", {})
    ),
    "strided slice": strided(0, 1),
    "bilinear": resize("RESIZE_BILINEAR", 4),
    "bilinear of corners": resize("RESIZE_BILINEAR", 4, alignCorners=True),
    "nearest": resize("RESIZE_NEAREST_NEIGHBOR", 4, halfPixelCenters=True),
    "maximum of one": pool("MAX_POOL_2D"),
    "average of one": pool("AVERAGE_POOL_2D"),
}


@pytest.mark.parametrize("form", _WITHOUT_EFFECT.values(), ids=_WITHOUT_EFFECT)
def test_operators_without_effect(form: Form) -> None:
    net = NetworkBuilder(*SHAPE)
    y = net.elementwise("TANH", form(net, net.elementwise("ABS", net.input)))
    graph, change = after(net.finished(y), removed)
    assert kinds(graph) == ["ABS", "TANH"]
    assert change == "1 operator without effect taken out"


_WITH_EFFECT: dict[str, Form] = {
    "add": binary("ADD", [0.0, 1.0, 0.0]),
    "0 sub": binary("SUB", 0.0, first=True),
    "1 div": binary("DIV", 1.0, first=True),
    "mul 1 and clamp": binary("MUL", 1.0, activation="RELU6"),
    "pad": pad("PAD", 1),
    "tile": lambda net, x: net.operator(
        "TILE", [x, ints(net, [1, 2, 1, 1])], (1, 8, 6, 3), ("TileOptions", {})
    ),
    "reversed": strided(0, -1),
    "bilinear": resize("RESIZE_BILINEAR", 6),
    "maximum of more": pool("MAX_POOL_2D", 3),
    "square permuted": lambda net, x: net.transpose(net.reshape(x, 1, 6, 6, 2), 0, 2, 1, 3),
    "relu of a tanh": relu_of("TANH"),
}


@pytest.mark.parametrize("form", _WITH_EFFECT.values(), ids=_WITH_EFFECT)
def test_operators_with_an_effect_stay(form: Form) -> None:
    net = NetworkBuilder(*SHAPE)
    _, change = after(net.finished(form(net, net.elementwise("ABS", net.input))), removed)
    assert change is None


@pytest.mark.parametrize("kind", ["ABS", "LOGISTIC", "RELU6", "SOFTMAX"])
def test_relu_of_what_is_not_negative(kind: str) -> None:
    net = NetworkBuilder(*SHAPE)
    graph, _ = after(net.finished(relu_of(kind)(net, net.input)), removed)
    assert kinds(graph) == [kind]


def test_input_given_out_stays() -> None:
    net = NetworkBuilder(*SHAPE)
    graph, change = after(net.finished(net.reshape(net.input, *SHAPE)), removed)
    assert kinds(graph) == ["RESHAPE"]
    assert change is None


def test_result_that_is_given_out_under_two_names_stays() -> None:
    net = NetworkBuilder(*SHAPE)
    x = net.elementwise("TANH", net.input)
    graph, _ = after(net.finished(x, net.reshape(net.reshape(x, *SHAPE), *SHAPE)), removed)
    assert kinds(graph) == ["TANH", "RESHAPE"]


def test_chains_of_them() -> None:
    net = NetworkBuilder(*SHAPE)
    x = net.elementwise("TANH", net.input)
    for form in _WITHOUT_EFFECT.values():
        x = form(net, x)
    graph, _ = after(net.finished(x), removed)
    assert kinds(graph) == ["TANH"]


def test_shape_of_an_open_batch() -> None:
    """A reshape of one size that is not known and the same others is none; of two, it may be."""
    for unknown, expected in (([-1, 4, 6, 3], ["TANH"]), ([-1, -1, 6, 3], ["TANH", "RESHAPE"])):
        net = NetworkBuilder(*SHAPE)
        x = net.elementwise("TANH", net.input)
        model = schema.parse(net.finished(net.reshape(x, *SHAPE)))
        for tensor in model.subgraphs[0].tensors:
            if len(tensor.shape) == 4:
                tensor.shapeSignature = np.int32(unknown)
                tensor.shape = np.int32([max(size, 1) for size in unknown])
        graph, _ = after(schema.serialize(model), removed, within=None)
        assert kinds(graph) == expected


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_moves_in_a_row_become_one(data: st.DataObject) -> None:
    net = NetworkBuilder(2, 3, 4)
    x = net.input
    sizes = [2, 3, 4]
    for _ in range(data.draw(st.integers(1, 5))):
        order = data.draw(st.permutations(range(3)))
        is_transposed = data.draw(st.booleans())
        x = (
            net.transpose(x, *order)
            if is_transposed
            else net.reshape(x, *(sizes[i] for i in order))
        )
        sizes = [sizes[i] for i in order]
    graph, _ = after(net.finished(x), removed)
    found = kinds(graph)
    assert all(one != other for one, other in zip(found, found[1:]))


def test_middle_of_two_moves_that_is_read_stays() -> None:
    net = NetworkBuilder(2, 3, 4)
    middle = net.transpose(net.input, 1, 0, 2)
    back = net.transpose(middle, 1, 0, 2)
    graph, _ = after(net.finished(net.elementwise("TANH", back), middle), removed)
    assert sorted(kinds(graph)) == ["TANH", "TRANSPOSE"]


def test_network_is_quantized_without_them() -> None:
    net = NetworkBuilder(1, 12, 12, 3)
    x = net.transpose(net.transpose(net.conv(net.input, 8), 0, 3, 1, 2), 0, 2, 3, 1)
    x = net.elementwise("CAST", x)
    result = quantize(net.finished(net.dense(net.spatial("MEAN", x), 4)), samples())
    assert kinds(Graph.from_bytes(result.model)) == [
        "QUANTIZE",
        "CONV_2D",
        "MEAN",
        "FULLY_CONNECTED",
        "DEQUANTIZE",
    ]
