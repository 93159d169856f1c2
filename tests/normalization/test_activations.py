"""Activation functions in parts: every way to write one down, against what it is."""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import models
from tests.built_models import NetworkBuilder
from tests.normalization.compared import after, kinds
from tests.running import run
from tests.shared_data import zoo
from tflite_eq import Config, quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.activations import recognized
from tflite_eq.runtimes import Kernels

SHAPE = (1, 5, 4, 6)
erf = np.vectorize(math.erf)

# Where functions bend, overflow and vanish.
POINTS = np.resize(
    np.concatenate([np.linspace(-9, 9, 61), [-1e4, 1e4, -30, 30, -1e-4, 1e-4, 0]]), SHAPE
).astype(np.float32)


class Formula:
    """Writes operators of one value down as formulas."""

    def __init__(self) -> None:
        self.net = NetworkBuilder(*SHAPE)
        self.x = self.net.input

    def __call__(self, kind: str, *operands: Any) -> int:
        dtype = "BOOL" if kind.startswith(("GREATER", "LESS")) else "FLOAT32"
        inputs = [o if isinstance(o, int) else self.constant(o) for o in operands]
        return self.net.operator(kind, inputs, SHAPE, self._options(kind), dtype)

    def constant(self, values: Any) -> int:
        return self.net.constant(np.asarray(values, np.float32))

    def _options(self, kind: str) -> Any:
        with_options = {"ADD", "SUB", "MUL", "DIV", "NEG", "ABS", "POW", "SQUARE", "EXP", "GREATER"}
        if kind in ("MAXIMUM", "MINIMUM"):
            return "MaximumMinimumOptions", {}
        if kind == "SELECT_V2":
            return "SelectV2Options", {}
        return (f"{kind.title()}Options", {}) if kind in with_options else None


# A network of one value, given the formula and slopes.
Form = Callable[[Formula, Any], int]

_PRELU: dict[str, Form] = {
    "relu plus slope times negated relu": lambda f, a: f(
        "ADD", f("RELU", f.x), f("MUL", f("NEG", f("RELU", f("NEG", f.x))), a)
    ),
    "slope first": lambda f, a: f(
        "ADD", f("MUL", a, f("NEG", f("RELU", f("NEG", f.x)))), f("RELU", f.x)
    ),
    "minus slope": lambda f, a: f("ADD", f("RELU", f.x), f("MUL", f("RELU", f("NEG", f.x)), -a)),
    "difference": lambda f, a: f(
        "SUB", f("RELU", f.x), f("MUL", f("RELU", f("MUL", f.x, -1.0)), a)
    ),
    "minimum": lambda f, a: f("ADD", f("MAXIMUM", f.x, 0.0), f("MUL", f("MINIMUM", f.x, 0.0), a)),
    "halves": lambda f, a: f(
        "ADD", f("MUL", f.x, 0.5 * (1 + a)), f("MUL", f("ABS", f.x), 0.5 * (1 - a))
    ),
    "difference with magnitude": lambda f, a: f(
        "ADD", f("RELU", f.x), f("MUL", f("MUL", f("SUB", f.x, f("ABS", f.x)), a), 0.5)
    ),
    "selection": lambda f, a: f("SELECT_V2", f("GREATER", f.x, 0.0), f.x, f("MUL", f.x, a)),
}


@pytest.mark.parametrize("form", _PRELU.values(), ids=_PRELU)
@pytest.mark.parametrize("per_channel", [True, False])
def test_prelu(form: Form, per_channel: bool) -> None:
    slopes = np.float32([0.25, 0.1, -0.3, 1.5, 0.0, 0.01]) if per_channel else np.float32(0.2)
    f = Formula()
    data = f.net.finished(form(f, slopes))
    graph, _ = after(data, recognized, within=3e-7, inputs=[POINTS])
    assert kinds(graph) == ["PRELU" if per_channel else "LEAKY_RELU"]
    expected = np.where(POINTS < 0, slopes * POINTS, POINTS)
    (found,) = run(schema.serialize(graph.model), [POINTS])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_maximum_of_a_leaky_relu() -> None:
    f = Formula()
    data = f.net.finished(f("MAXIMUM", f.x, f("MUL", f.x, 0.1)))
    graph, _ = after(data, recognized, inputs=[POINTS])
    assert kinds(graph) == ["LEAKY_RELU"]


def tanh_gelu(f: Formula, cube: int) -> int:
    inner = f("ADD", f.x, f("MUL", cube, 0.044715))
    share = f("ADD", f("TANH", f("MUL", inner, math.sqrt(2 / math.pi))), 1.0)
    return f("MUL", f("MUL", f.x, 0.5), share)


def rational_erf_gelu(f: Formula, _: Any) -> int:
    """The error function as Abramowitz and Stegun's 7.1.26 has it, within 1.5e-7."""
    z = f("ABS", f("MUL", f.x, 1 / math.sqrt(2)))
    t = f("DIV", 1.0, f("ADD", f("MUL", z, 0.3275911), 1.0))
    series = f("MUL", t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = f("MUL", f("ADD", series, factor), t)
    tail = f("MUL", series, f("EXP", f("NEG", f("MUL", z, z))))
    share = f("MUL", f("SIGN", f.x), f("SUB", 1.0, tail))
    return f("MUL", f("MUL", f.x, 0.5), f("ADD", share, 1.0))


def softplus(f: Formula, x: int) -> int:
    return f("LOG", f("ADD", f("EXP", x), 1.0))


SOFTPLUS = ["ABS", "LOGISTIC", "LOG", "RELU", "SUB"]


_OTHERS: list[tuple[str, list[str], Form]] = [
    (
        "relu6 third",
        ["HARD_SWISH"],
        lambda f, _: f("MUL", f.x, f("MUL", f("RELU6", f("ADD", f.x, 3.0)), 1 / 6)),
    ),
    (
        "sixth last",
        ["HARD_SWISH"],
        lambda f, _: f("MUL", f("MUL", f.x, f("RELU6", f("ADD", 3.0, f.x))), 0.16666667),
    ),
    (
        "quotient",
        ["HARD_SWISH"],
        lambda f, _: f("DIV", f("MUL", f("RELU6", f("ADD", f.x, 3.0)), f.x), 6.0),
    ),
    (
        "clipped",
        ["HARD_SWISH"],
        lambda f, _: f(
            "MUL", f.x, f("DIV", f("MINIMUM", f("MAXIMUM", f("ADD", f.x, 3.0), 0.0), 6.0), 6.0)
        ),
    ),
    (
        "sixth inside",
        ["HARD_SWISH"],
        lambda f, _: f("MUL", f("MUL", f.x, 1 / 6), f("RELU6", f("ADD", f.x, 3.0))),
    ),
    ("cube by products", ["GELU"], lambda f, _: tanh_gelu(f, f("MUL", f("MUL", f.x, f.x), f.x))),
    ("cube by square", ["GELU"], lambda f, _: tanh_gelu(f, f("MUL", f("SQUARE", f.x), f.x))),
    ("cube by power", ["GELU"], lambda f, _: tanh_gelu(f, f("POW", f.x, 3.0))),
    ("error function", ["GELU"], rational_erf_gelu),
    ("maximum", ["RELU"], lambda f, _: f("MAXIMUM", f.x, 0.0)),
    ("maximum, constant first", ["RELU"], lambda f, _: f("MAXIMUM", 0.0, f.x)),
    ("half", ["RELU"], lambda f, _: f("MUL", f("ADD", f.x, f("ABS", f.x)), 0.5)),
    ("clip", ["RELU6"], lambda f, _: f("MINIMUM", f("MAXIMUM", f.x, 0.0), 6.0)),
    ("clip, other order", ["RELU6"], lambda f, _: f("MAXIMUM", f("MINIMUM", f.x, 6.0), 0.0)),
    ("minimum of relu", ["RELU6"], lambda f, _: f("MINIMUM", f("RELU", f.x), 6.0)),
    ("hard tanh", ["RELU_N1_TO_1"], lambda f, _: f("MINIMUM", f("MAXIMUM", f.x, -1.0), 1.0)),
    ("two relus", ["ABS"], lambda f, _: f("ADD", f("RELU", f.x), f("RELU", f("NEG", f.x)))),
    (
        "exponential",
        ["LOGISTIC"],
        lambda f, _: f("DIV", 1.0, f("ADD", f("EXP", f("NEG", f.x)), 1.0)),
    ),
    (
        "hyperbolic",
        ["LOGISTIC"],
        lambda f, _: f("MUL", f("ADD", f("TANH", f("MUL", f.x, 0.5)), 1.0), 0.5),
    ),
    (
        "by its sigmoid",
        ["TANH"],
        lambda f, _: f("SUB", f("MUL", f("LOGISTIC", f("MUL", f.x, 2.0)), 2.0), 1.0),
    ),
    (
        "quotient of an exponential",
        ["LOGISTIC", "MUL"],
        lambda f, _: f("DIV", f.x, f("ADD", f("EXP", f("NEG", f.x)), 1.0)),
    ),
    (
        "selected",
        ["ELU"],
        lambda f, _: f(
            "SELECT_V2",
            f("GREATER", f.x, 0.0),
            f.x,
            f("SUB", f("EXP", f("MINIMUM", f.x, 0.0)), 1.0),
        ),
    ),
    (
        "naive",
        SOFTPLUS,
        lambda f, _: softplus(f, f.x),
    ),
    (
        "by the larger",
        SOFTPLUS,
        lambda f, _: f(
            "ADD",
            f("MAXIMUM", f.x, 0.0),
            f("LOG", f("ADD", f("EXP", f("NEG", f("ABS", f.x))), 1.0)),
        ),
    ),
    (
        "negative of a softplus",
        ["ABS", "LOGISTIC", "LOG", "MUL", "RELU", "SUB"],
        lambda f, _: f("NEG", softplus(f, f("NEG", f.x))),
    ),
    (
        "mish",
        [*SOFTPLUS, "TANH", "MUL"],
        lambda f, _: f("MUL", f("TANH", softplus(f, f.x)), f.x),
    ),
    (
        "selu",
        ["ELU", "MUL", "RELU", "MUL", "ADD"],
        lambda f, _: f(
            "MUL",
            f(
                "SELECT_V2",
                f("GREATER", f.x, 0.0),
                f.x,
                f("MUL", f("SUB", f("EXP", f.x), 1.0), 1.67326324),
            ),
            1.05070098,
        ),
    ),
    (
        "elu of half the size",
        ["ELU", "MUL", "RELU", "MUL", "ADD"],
        lambda f, _: f(
            "ADD",
            f("RELU", f.x),
            f("MUL", f("SUB", f("EXP", f("MINIMUM", f.x, 0.0)), 1.0), 0.5),
        ),
    ),
]


@pytest.mark.parametrize(
    ("expected", "form"),
    [row[1:] for row in _OTHERS],
    ids=[f"{'+'.join(row[1])} {row[0]}" for row in _OTHERS],
)
def test_functions(expected: list[str], form: Form) -> None:
    f = Formula()
    data = f.net.finished(form(f, None))
    with np.errstate(all="ignore"):
        graph, _ = after(data, recognized, within=1e-6, inputs=[np.clip(POINTS, -60, 60)])
    assert kinds(graph) == expected
    _, again = after(schema.serialize(graph.model), recognized)
    assert again is None


_UNLIKE: dict[str, Form] = {
    "threshold": lambda f, _: f("SELECT_V2", f("GREATER", f.x, 0.005), f.x, f("MUL", f.x, 0.1)),
    "clip far out": lambda f, _: f("MINIMUM", f("RELU", f.x), 123456.0),
    "maximum of another constant": lambda f, _: f("MAXIMUM", f.x, 1e-3),
    "rough sixth": lambda f, _: f("MUL", f.x, f("MUL", f("RELU6", f("ADD", f.x, 3.0)), 0.166)),
    "two slopes": lambda f, _: f("ADD", f("MUL", f("RELU", f.x), 2.0), f("MINIMUM", f.x, 0.0)),
    "swish": lambda f, _: f("MUL", f.x, f("LOGISTIC", f.x)),
    "quick gelu": lambda f, _: f("MUL", f.x, f("LOGISTIC", f("MUL", f.x, 1.702))),
    "hard sigmoid": lambda f, _: f("MUL", f("RELU6", f("ADD", f.x, 3.0)), 1 / 6),
    "affine": lambda f, _: f("ADD", f("MUL", f.x, 2.0), 1.0),
    "relu": lambda f, _: f("RELU", f.x),
}


@pytest.mark.parametrize("form", _UNLIKE.values(), ids=_UNLIKE)
def test_functions_that_only_look_alike_are_left_alone(form: Form) -> None:
    f = Formula()
    graph, change = after(f.net.finished(form(f, None)), recognized)
    assert change is None, kinds(graph)


def test_constants_as_large_as_pictures_are_not_taken_for_channels() -> None:
    shape = (1, 64, 64, 8)
    net = NetworkBuilder(*shape)
    slopes = net.constant(np.full(shape[1:], 0.3, np.float32))
    low = net.operator("MINIMUM", [net.input, net.constant(np.zeros(1, np.float32))], shape)
    high = net.elementwise("RELU", net.input)
    scaled = net.operator("MUL", [low, slopes], shape, ("MulOptions", {}))
    made = net.operator("ADD", [high, scaled], shape, ("AddOptions", {}))
    _, change = after(net.finished(made), recognized)
    assert change is None


def test_intermediate_results_that_are_read_elsewhere_stay() -> None:
    f = Formula()
    positive = f("RELU", f.x)
    whole = f("ADD", positive, f("MUL", f("MINIMUM", f.x, 0.0), 0.3))
    for outputs in ([whole, positive], [whole, f("TANH", positive)]):
        graph, change = after(f.net.finished(*outputs), recognized)
        assert change is None, kinds(graph)


def test_relu_that_ends_a_function_is_no_part_of_the_one_behind() -> None:
    f = Formula()
    first = f("MAXIMUM", f.x, f("MUL", f.x, 0.1))
    second = f("MUL", first, f("MUL", f("RELU6", f("ADD", first, 3.0)), 1 / 6))
    graph, change = after(f.net.finished(second), recognized, within=1e-6)
    assert kinds(graph) == ["LEAKY_RELU", "HARD_SWISH"]
    assert change == "4 operators as HARD_SWISH, 2 operators as LEAKY_RELU"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_formulas_keep_their_values(data: st.DataObject) -> None:
    """Whatever is put together, or not, of operators that functions are made of."""
    f = Formula()
    known = [f.x]
    numbers = st.sampled_from([-1.0, -0.5, 0.0, 1 / 6, 0.5, 1.0, 2.0, 3.0, 6.0])
    for _ in range(data.draw(st.integers(1, 6))):
        one = data.draw(st.sampled_from(known))
        if data.draw(st.booleans()):
            kind = data.draw(st.sampled_from(["ABS", "NEG", "RELU", "RELU6", "LOGISTIC", "TANH"]))
            known.append(f(kind, one))
            continue
        kind = data.draw(st.sampled_from(["ADD", "MUL", "SUB", "MAXIMUM", "MINIMUM"]))
        other = data.draw(st.one_of(st.sampled_from(known), numbers))
        known.append(f(kind, one, other))
    outputs = {known[-1], *data.draw(st.sets(st.sampled_from(known[1:]), max_size=2))}
    inputs = [np.clip(POINTS, -40, 40)]
    after(f.net.finished(*sorted(outputs)), recognized, within=5e-6, inputs=inputs)


@pytest.mark.parametrize(
    ("kind", "expected", "function"),
    [
        ("FlexErf", ["GELU"], lambda x: x * (1 + erf(x / math.sqrt(2))) / 2),
        ("FlexSoftplus", SOFTPLUS, lambda x: np.logaddexp(0, x)),
        ("FlexSelu", None, lambda x: np.where(x > 0, 1.0507 * x, 1.758099 * np.expm1(x))),
    ],
)
def test_operators_that_tensorflow_computes(
    kind: str, expected: list[str] | None, function: Callable[[Any], Any]
) -> None:
    """No runtime here has these kernels: the functions themselves are the oracle."""
    f = Formula()
    if kind == "FlexErf":
        share = f("ADD", f.net.custom(kind, f("MUL", f.x, 1 / math.sqrt(2)), b""), 1.0)
        made = f("MUL", f("MUL", share, f.x), 0.5)
    else:
        made = f.net.custom(kind, f.x, b"")
    graph, _ = after(f.net.finished(made), recognized, within=None)
    assert kinds(graph) == (expected or ["ELU", "MUL", "RELU", "MUL", "ADD"])
    x = np.clip(POINTS, -60, 60)
    (found,) = run(schema.serialize(graph.model), [x], Kernels.BUILTIN)
    np.testing.assert_allclose(found, function(x.astype(np.float64)), rtol=2e-5, atol=2e-6)


def test_network_with_a_prelu_in_parts_is_quantized() -> None:
    def network(x: Any) -> Any:
        x = models.conv(x, 8, seed=1)
        slopes = np.linspace(0.05, 0.4, 8, dtype=np.float32)
        x = tf.nn.relu(x) + slopes * -tf.nn.relu(-x)
        return models.conv(x, 4, seed=2)

    model, config = models.convert(network, models.IMAGE), Config(forms="plain")
    result = quantize(model, models.samples(models.IMAGE), config)
    assert "operators as PRELU" in result.report.summary["normalized"][0]
    assert "PRELU" in kinds(Graph.from_bytes(result.model))


_EXPONENTIAL: dict[str, Callable[[Any], Any]] = {
    "elu": lambda x: tf.where(x > 0, x, tf.exp(x) - 1.0),
    "mish": lambda x: x * tf.tanh(tf.math.log(1.0 + tf.exp(x))),
    "softplus": lambda x: tf.math.log(1.0 + tf.exp(x)),
    "swish": lambda x: x / (1.0 + tf.exp(-x)),
}


@pytest.mark.parametrize("function", _EXPONENTIAL.values(), ids=_EXPONENTIAL)
def test_exponentials_do_not_cost_the_accuracy(function: Callable[[Any], Any]) -> None:
    """In the form they are written in, their quantized networks are below 10 dB."""

    def network(x: Any) -> Any:
        x = function(models.conv(x, 16, seed=1))
        return models.conv(function(models.conv(x, 16, seed=2)), 8, seed=3)

    data = models.convert(network, models.IMAGE)
    samples = models.samples(models.IMAGE, count=8)
    result = quantize(data, samples)
    expected, found = (
        np.concatenate([run(model, inputs, Kernels.BUILTIN)[0] for inputs in samples])
        for model in (data, result.model)
    )
    assert 10 * np.log10(np.sum(expected**2) / np.sum((expected - found) ** 2)) > 27


def test_models_of_the_zoo() -> None:
    graph, _ = after(zoo("mtcnn_rnet.tflite").read_bytes(), recognized)
    assert kinds(graph).count("PRELU") == 4
    assert "NEG" not in kinds(graph)
