"""Codes of elementwise functions, against the kernels themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.simulation.functions import function_graph, int8_function
from tests.simulation.test_lockstep import operator_differences_of
from tflite_eq import Config
from tflite_eq import quantize as quantize_model
from tflite_eq.config import Forms
from tflite_eq.data.store import ActivationStore
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.numerics.affine import AffineParams, dequantize, quantize
from tflite_eq.numerics.windows import Window
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation import kernel_tables
from tflite_eq.simulation.kernel_tables import KernelTable, kernel_table
from tflite_eq.simulation.twins import TwinActivations

CODES = np.arange(-128, 128).astype(np.int8)

# Scale and zero point of input and output, by function.
CASES = [
    ("LEAKY_RELU", AffineParams(0.031, -9), AffineParams(0.022, -97)),
    ("LEAKY_RELU", AffineParams(0.031, 40), AffineParams(0.022, 31)),
    ("ELU", AffineParams(0.031, -9), AffineParams(0.016, -60)),
    ("GELU", AffineParams(0.031, -9), AffineParams(0.017, -118)),
    ("HARD_SWISH", AffineParams(0.047, -9), AffineParams(0.026, -114)),
    ("RELU", AffineParams(0.031, -9), AffineParams(0.02, -128)),
    ("RELU6", AffineParams(0.062, -9), AffineParams(6 / 255, -128)),
    ("LOGISTIC", AffineParams(0.062, -9), AffineParams(1 / 256, -128)),
    ("TANH", AffineParams(0.031, -9), AffineParams(1 / 128, 0)),
]

# Two codes of the input have one result where a function turns, but not one code: fixed point of 16
# bits is not that even.
TURNS = {"HARD_SWISH"}


@pytest.mark.parametrize(("kind", "source", "result"), CASES)
def test_codes_are_those_of_the_default_kernel(
    kind: str, source: AffineParams, result: AffineParams
) -> None:
    graph = function_graph(kind)
    table = kernel_table(graph, graph.operators[0], source, result, Forms.PLAIN)
    assert table is not None
    values = OperatorRunner(graph, graph.operators[0]).run([dequantize(CODES, source)[None]])[0]
    expected = running.run(int8_function(kind, 0.1, source, result), [CODES[None]], Kernels.DEFAULT)
    off = table.encode(values).astype(int) - expected[0]
    if kind in TURNS:
        assert np.abs(off).max() <= 1
        assert np.count_nonzero(off) <= 2
    else:
        np.testing.assert_array_equal(off, 0)


@pytest.mark.parametrize(("kind", "source", "result"), CASES)
def test_codes_of_fast_forms_are_the_nearest_ones(
    kind: str, source: AffineParams, result: AffineParams
) -> None:
    """Where the kernel of the operator itself is not written, its table is not looked up."""
    graph = function_graph(kind)
    [operator] = graph.operators
    table = kernel_table(graph, operator, source, result, Forms.FAST)
    assert table is not None
    values = OperatorRunner(graph, operator).run([dequantize(CODES, source)[None]])[0]
    if kind.startswith("RELU"):
        exact = (values / result.scale + result.zero_point).clip(-128, 127)
        assert np.abs(table.encode(values) - exact).max() <= 0.501
    else:
        own = kernel_table(graph, operator, source, result, Forms.PLAIN)
        assert own is not None
        np.testing.assert_array_equal(table.encode(values), own.encode(values))


def test_kernels_round_otherwise_than_the_real_function() -> None:
    """Without this there would be nothing to look up."""
    kind, source, result = CASES[0]
    graph = function_graph(kind)
    table = kernel_table(graph, graph.operators[0], source, result)
    assert table is not None
    values = OperatorRunner(graph, graph.operators[0]).run([dequantize(CODES, source)[None]])[0]
    off = table.encode(values).astype(int) - quantize(values, result)
    assert off.any()
    assert np.abs(off).max() == 1


def test_values_between_take_the_code_of_the_nearest() -> None:
    values = np.array([3.0, -1.0, 0.0, 1.0], np.float32)
    table = KernelTable(values, np.array([90, -7, 2, 30], np.int8))
    found = table.encode(np.array([[-9.0, -0.6, -0.4], [0.6, 1.9, 2.1]], np.float32))
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, [[-7, -7, 2], [30, 30, 90]])


def test_a_runtime_without_the_kernel_has_no_table() -> None:
    graph = function_graph("SIN")
    params = AffineParams(0.01, 0)
    assert kernel_table(graph, graph.operators[0], params, params) is None


def test_present_and_later_values_are_looked_up() -> None:
    params = AffineParams(0.5, 10)
    table = KernelTable(np.array([0.0, 1.0], np.float32), np.array([10, 13], np.int8))
    values = np.array([0.1, 0.9], np.float32)
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=1)
        twins.put_quantized(3, 0, values)
        for tensor in (3, 4):
            twins.settle(tensor, params, Window(-128, 127, True), table)
        twins.put_quantized(4, 0, values)
        for tensor in (3, 4):
            np.testing.assert_array_equal(twins.quantized_values(tensor, 0), [0.0, 1.5])


def test_codes_that_are_handed_on_are_not_looked_up_again() -> None:
    params = AffineParams(0.5, 10)
    # One code too high, and the value of that code has yet another code.
    table = KernelTable(np.array([0.0, 0.5, 1.0], np.float32), np.array([11, 12, 13], np.int8))
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=1)
        twins.settle(3, params, Window(-128, 127, True), table)
        twins.settle(4, params, Window(-128, 127, True), table, written=False)
        twins.put_quantized(3, 0, np.array([0.0, 1.0], np.float32))
        twins.put_quantized(4, 0, twins.quantized_values(3, 0))
        np.testing.assert_array_equal(twins.quantized_values(4, 0), [0.5, 1.5])


def leaky_then(follow: Any, alpha: float = 0.1) -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.leaky_relu(models.conv(x, 8, seed=1), alpha)
        return models.conv(follow(x), 6, seed=2)

    return models.convert(network, models.IMAGE)


def early_reader(x: Any) -> Any:
    """The scale is decided before the pool runs."""
    y = models.conv(x, 8, stride=2, seed=3)
    return tf.nn.max_pool2d(x, 2, 2, "SAME") + y


FOLLOWERS = {
    "pool": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
    "reshape": lambda x: tf.reshape(x, [1, 6, 24, 8]),
    "pool and reshape": lambda x: tf.reshape(tf.nn.max_pool2d(x, 2, 2, "SAME"), [1, 4, 9, 8]),
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "early reader": early_reader,
}


def differences_behind(follow: str, alpha: float, bits: str) -> dict[str, Any]:
    """How far every operator of the written file is off the simulation, which gave its input."""
    model = leaky_then(FOLLOWERS[follow], alpha)
    config = Config(bits=bits, equalization="none")
    data = models.samples(models.IMAGE, count=3)
    written = quantize_model(model, data, config).model
    found = operator_differences_of(model, data, config, written, Kernels.DEFAULT)
    assert any(operator.startswith("LEAKY_RELU") for operator in found)
    linear = ("CONV_2D", "ADD")
    return {name: off for name, off in found.items() if not name.startswith(linear)}


@pytest.mark.parametrize("bits", ["8", "7"])
@pytest.mark.parametrize("follow", sorted(FOLLOWERS))
def test_operators_behind_hand_on_the_same_codes(follow: str, bits: str) -> None:
    for operator, difference in differences_behind(follow, 0.1, bits).items():
        np.testing.assert_array_equal(difference, 0, err_msg=operator)


@pytest.mark.parametrize("follow", ["pool", "pad"])
def test_a_function_that_turns_may_have_two_codes_for_one_value(follow: str) -> None:
    for operator, difference in differences_behind(follow, -0.2, "8").items():
        assert np.abs(difference).max() <= 1, operator
        assert np.abs(difference).mean() <= 0.05, operator


@pytest.mark.parametrize("config", [Config(), Config(bits="7", equalization="none")])
def test_a_fall_back_to_nearest_codes_is_reported(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_kernel(*_: Any) -> Any:
        raise RuntimeError("Type INT8 (9) not supported")

    monkeypatch.setattr(kernel_tables, "_run", no_kernel)
    result = quantize_model(models.leaky_net(), models.data("leaky_net"), config)
    found = [w for w in result.report.warnings if "cannot run LEAKY_RELU with int8 codes" in w]
    assert found
    assert all("taken for the nearest ones" in warning for warning in found)
    assert result.calibration.warnings == result.report.warnings


def test_kernels_that_are_known_are_not_reported() -> None:
    result = quantize_model(models.leaky_net(), models.data("leaky_net"))
    assert result.report.warnings == []
