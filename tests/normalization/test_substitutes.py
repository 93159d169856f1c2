"""Operators without an int8 kernel, NEG included, against what is put in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.built_models import NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.negations import absorbed
from tflite_eq.normalization.substitutes import substituted

SHAPE = (2, 3, 4)
_POSITIVE = [np.random.default_rng(2).uniform(0.1, 5.0, SHAPE).astype(np.float32)]


def constant(net: NetworkBuilder, *values: float) -> int:
    return net.constant(np.float32(values if len(values) > 1 else values[0]))


def power(net: NetworkBuilder, exponent: float) -> int:
    inputs = [net.input, constant(net, exponent)]
    return net.operator("POW", inputs, SHAPE, ("PowOptions", {}))


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(2, ["MUL"]), (3, ["MUL", "MUL"]), (-0.5, ["RSQRT"]), (0.7, ["POW"]), (-1, ["POW"])],
)
def test_powers(exponent: float, expected: list[str]) -> None:
    net = NetworkBuilder(*SHAPE)
    data = net.finished(power(net, exponent))
    graph, _ = after(data, substituted, within=1e-6, inputs=_POSITIVE)
    assert kinds(graph) == expected


def test_power_by_several_exponents_stays() -> None:
    net = NetworkBuilder(*SHAPE)
    inputs = [net.input, constant(net, 2.0, 3.0, 2.0, 2.0)]
    data = net.finished(net.operator("POW", inputs, SHAPE, ("PowOptions", {})))
    _, change = after(data, substituted)
    assert change is None


def test_square() -> None:
    net = NetworkBuilder(*SHAPE)
    graph, change = after(net.finished(net.elementwise("SQUARE", net.input)), substituted)
    assert kinds(graph) == ["MUL"]
    assert change == "1 SQUARE replaced by operators with an int8 kernel"


def test_square_of_a_difference() -> None:
    for is_read, expected in (
        (False, ["TANH", "SQUARED_DIFFERENCE"]),
        (True, ["TANH", "SUB", "MUL"]),
    ):
        net = NetworkBuilder(*SHAPE)
        tanh = net.elementwise("TANH", net.input)
        difference = net.operator("SUB", [net.input, tanh], SHAPE, ("SubOptions", {}))
        outputs = [net.elementwise("SQUARE", difference)]
        data = net.finished(*outputs, *([difference] if is_read else []))
        graph, _ = after(data, substituted)
        assert kinds(graph) == expected


@pytest.mark.parametrize("divisors", [(6.0,), (0.1, -3.0, 1e4, 7.0)])
@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
def test_division_by_constants(divisors: tuple[float, ...], activation: str) -> None:
    net = NetworkBuilder(*SHAPE)
    code = getattr(schema.schema().ActivationFunctionType, activation)
    options = ("DivOptions", {"fusedActivationFunction": code})
    made = net.operator("DIV", [net.input, constant(net, *divisors)], SHAPE, options)
    graph, _ = after(net.finished(made), substituted, within=1e-6)
    assert kinds(graph) == ["MUL"]


@pytest.mark.parametrize("divisor", [0.0, 1e39, 2e38])
def test_division_whose_factor_no_float_holds_stays(divisor: float) -> None:
    net = NetworkBuilder(*SHAPE)
    with np.errstate(over="ignore"):
        inputs = [net.input, constant(net, divisor)]
    data = net.finished(net.operator("DIV", inputs, SHAPE, ("DivOptions", {})))
    _, change = after(data, substituted, within=None)
    assert change is None


@pytest.mark.parametrize(
    ("numerator", "expected"), [(None, ["RSQRT", "MUL"]), (1.0, ["RSQRT"]), (3.0, ["RSQRT", "MUL"])]
)
def test_division_by_a_square_root(numerator: float | None, expected: list[str]) -> None:
    net = NetworkBuilder(*SHAPE)
    first = net.input if numerator is None else constant(net, numerator)
    root = net.elementwise("SQRT", net.input)
    data = net.finished(net.operator("DIV", [first, root], SHAPE, ("DivOptions", {})))
    graph, _ = after(data, substituted, within=1e-6, inputs=_POSITIVE)
    assert kinds(graph) == expected


def test_square_root_that_is_read_elsewhere_stays() -> None:
    net = NetworkBuilder(*SHAPE)
    root = net.elementwise("SQRT", net.input)
    quotient = net.operator("DIV", [net.input, root], SHAPE, ("DivOptions", {}))
    _, change = after(net.finished(quotient, root), substituted, inputs=_POSITIVE)
    assert change is None


def test_sum_of_several() -> None:
    net = NetworkBuilder(*SHAPE)
    addends = [net.input, net.elementwise("TANH", net.input), net.elementwise("ABS", net.input)]
    data = net.finished(net.operator("ADD_N", addends, SHAPE, ("AddNOptions", {})))
    graph, _ = after(data, substituted, within=1e-6)
    assert kinds(graph) == ["TANH", "ABS", "ADD", "ADD"]


def test_embedding() -> None:
    net = NetworkBuilder(5, 4)
    indices = net.constant(np.int32([3, 0, 4, 4]))
    table = net.constant(np.float32(np.random.default_rng(0).normal(size=(5, 4))))
    rows = net.operator("EMBEDDING_LOOKUP", [indices, table], (4, 4))
    data = net.finished(net.dense_of(net.input, rows))
    graph, _ = after(data, substituted)
    assert kinds(graph) == ["GATHER", "FULLY_CONNECTED"]


def negated(form: str) -> tuple[NetworkBuilder, list[int]]:
    """A network with NEG, as a formula says it, and its outputs."""
    net = NetworkBuilder(*SHAPE)

    def op(kind: str, *inputs: int) -> int:
        return net.operator(kind, list(inputs), SHAPE, (f"{kind.title()}Options", {}))

    x, tanh = net.input, net.elementwise("TANH", net.input)
    minus, c = op("NEG", x), constant(net, 0.5, -1.0, 0.0, 3.0)
    product = {"MUL": op("MUL", minus, tanh)} if "product" in form else {}
    outputs = {
        "tanh + -x": lambda: [op("ADD", tanh, minus)],
        "-x + tanh": lambda: [op("ADD", minus, tanh)],
        "tanh - -x": lambda: [op("SUB", tanh, minus)],
        "-x - c": lambda: [op("SUB", minus, c)],
        "c - -x": lambda: [op("SUB", c, minus)],
        "-x * c": lambda: [op("MUL", minus, c)],
        "-(-x) + tanh": lambda: [op("ADD", op("NEG", minus), tanh)],
        "product + c": lambda: [op("ADD", product["MUL"], c)],
        "product * c": lambda: [op("MUL", c, product["MUL"])],
        "-x": lambda: [minus],
        "-x - tanh": lambda: [op("SUB", minus, tanh)],
        "-x + -x": lambda: [op("ADD", minus, minus)],
        "-x given out, too": lambda: [op("ADD", tanh, minus), minus],
        "-(-x) given out": lambda: [op("NEG", minus)],
        "sigmoid(-x)": lambda: [net.elementwise("LOGISTIC", minus)],
        "product, given out": lambda: [product["MUL"]],
    }[form]()
    return net, outputs


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("tanh + -x", ["TANH", "SUB"]),
        ("-x + tanh", ["TANH", "SUB"]),
        ("tanh - -x", ["TANH", "ADD"]),
        ("-x - c", ["SUB"]),
        ("c - -x", ["ADD"]),
        ("-x * c", ["MUL"]),
        ("-(-x) + tanh", ["TANH", "ADD"]),
        ("product + c", ["TANH", "MUL", "SUB"]),
        ("product * c", ["TANH", "MUL", "MUL"]),
        ("-x", ["MUL"]),
        ("-x - tanh", ["TANH", "MUL", "SUB"]),
        ("-x + -x", ["MUL", "ADD"]),
        ("-x given out, too", ["TANH", "MUL", "SUB"]),
        ("-(-x) given out", ["MUL", "MUL"]),
        ("sigmoid(-x)", ["MUL", "LOGISTIC"]),
        ("product, given out", ["TANH", "MUL", "MUL"]),
    ],
)
def test_negations(form: str, expected: list[str]) -> None:
    net, outputs = negated(form)
    graph, change = after(net.finished(*outputs), absorbed)
    assert sorted(k for k in kinds(graph) if k != "TANH") == sorted(
        k for k in expected if k != "TANH"
    )
    assert change is not None


def test_negations_of_integers_stay() -> None:
    net = NetworkBuilder(*SHAPE)
    made = net.operator("NEG", [net.shape(net.input)], (3,), ("NegOptions", {}), "INT32")
    _, change = after(net.finished(made, net.elementwise("TANH", net.input)), absorbed)
    assert change is None


def test_layer_normalization_is_quantized_without_float_operators() -> None:
    """As Keras 3 writes it: the mean's sign is changed, and it is added with the shift."""
    net = NetworkBuilder(1, 12, 12, 3)
    x = net.conv(net.input, 8)
    shape, row = (1, 12, 12, 8), (1, 12, 12, 1)
    axis = net.constant(np.int32([3]))
    keep: Any = ("ReducerOptions", {"keepDims": True})

    def op(kind: str, made: tuple[int, ...], *inputs: int) -> int:
        return net.operator(kind, list(inputs), made, (f"{kind.title()}Options", {}))

    mean = net.operator("MEAN", [x, axis], row, keep)
    square = net.elementwise("SQUARE", op("SUB", shape, x, mean))
    variance = op("ADD", row, net.operator("MEAN", [square, axis], row, keep), constant(net, 1e-3))
    deviation = net.elementwise("SQRT", variance)
    inverse = op("DIV", row, constant(net, 1.0), deviation)
    shift = op("MUL", row, op("NEG", row, mean), inverse)
    x = op("ADD", shape, op("MUL", shape, x, inverse), shift)
    data = net.finished(net.dense(net.spatial("MEAN", net.conv(x, 8)), 4))
    result = quantize(data, samples())
    found = kinds(Graph.from_bytes(result.model))
    assert not {"NEG", "SQUARE", "SQRT", "DIV"} & set(found)
    assert found.count("QUANTIZE") == found.count("DEQUANTIZE") == 1
