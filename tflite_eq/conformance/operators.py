"""What one operator of a written model should compute from the codes in front of it.

**Layers.** Codes of input and filter are integers, so that a float32 convolution of them gives the
exact sum while partial sums stay below 2^24. In codes of the output the exact result is

    r_k = z_out + M_k (sum + b_k / (s_in t_k)),   M_k = s_in t_k / s_out

clipped to the ends of the activation function. A kernel's code lies within one half of it, which is
rounding, and further by at most

- ``M_k / 2``: the bias itself is rounded to a multiple of ``s_in t_k``;
- ``2 M_k``: fixed-point requantization. A multiplier ``m 2^-n`` with ``1/2 <= m < 1`` is applied in
  two steps, first rounding or cutting off the product to a multiple of ``2^-n`` codes, then to a
  whole one, and ``2^-n <= 2 M_k``;
- ``2^-22`` of the largest sum that the filter can have: partial sums beyond 2^24;
- a thousandth: multipliers have 31 bits or, where requantization computes in float32, 24.

``M_k`` is about a hundredth in most layers, so that a shift of a channel by some hundredths of a
code shows as soon as a value comes that near to a rounding limit.

**Other operators** are run in float on what the codes stand for.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tflite_eq.conformance.written_model import Pair, WrittenModel, pairs
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, dequantize
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import recorded_filters

Array = npt.NDArray[Any]
Double = npt.NDArray[np.float64]
Values = Mapping[int, Array]  # of computed tensors and inputs, by tensor index of the written model

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")

# Kernels that hand codes on, if what they write has the scale of what they read.
_MOVES = properties.SAME_SCALE - properties.AVERAGING

# What the kernels of other operators may be off the nearest code: they compute in fixed point, by
# tables, or by multipliers of 8 bits. Those below came to half a code at most in every kernel tried
# (docs/internals.md); a larger deviation of others is no proof of a fault.
_SLACK = 1.0
_LARGER_SLACK = 4.0
_TRIED = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL ELU EXP GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU
    LOGISTIC LOG_SOFTMAX MEAN MUL PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX
    SQUARED_DIFFERENCE SUB SUM TANH
    """.split()
)

# By how much of a tensor's largest value float kernels differ from each other.
_FLOAT_NOISE = 1e-3

_LITTLE = 1e-3

_ENDS = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """The worst value of an operator's result.

    Attributes:
        operator: The operator of the written model.
        channel: Where the value is on the last axis.
        found: What was computed, in codes of an int8 result.
        expected: What is right, before rounding.
        allowed: By how much a kernel may be off.
    """

    operator: Operator
    channel: int
    found: float
    expected: float
    allowed: float


class Check(Protocol):
    """Knows what one operator should compute."""

    def mismatch(self, values: Values) -> Mismatch | None:
        """What the operator computed that no kernel may compute from these inputs."""


def checks(subject: WrittenModel) -> dict[int, Callable[[], Check]]:
    """What makes the check of an operator, by operator index of the written model.

    A check holds the layer's filter as float, often more than once: make one at a time.
    """
    records = subject.records()
    found: dict[int, Callable[[], Check]] = {}
    for operator in subject.written.operators:
        if operator.kind in _CONVERSIONS:
            found[operator.index] = functools.partial(_Conversion, subject, operator)
        if operator.outputs and operator.outputs[0] in subject.limits:
            found[operator.index] = functools.partial(_Limit, subject, operator)
    for pair in pairs(subject):
        record = records.get(pair.source.index)
        if record is None:
            found[pair.written.index] = functools.partial(_Other, subject, pair)
        else:
            layer = subject.layers[record.index]
            found[pair.written.index] = functools.partial(_Layer, subject, pair, layer, record)
    return found


class _Layer:
    def __init__(
        self, subject: WrittenModel, pair: Pair, layer: LinearLayer, record: LayerRecord
    ) -> None:
        self._subject = subject
        self._operator = pair.written
        filters = recorded_filters(layer, record)
        constants = {
            layer.filter: layer.stored_filters(filters.codes).astype(np.float32),
            layer.bias: np.zeros(layer.channels, np.float32),
        }
        self._runner = OperatorRunner(subject.graph, pair.source, constants, drop_activation=True)
        self._feeds = _counterparts(subject, pair, self._runner.feeds)
        self._source = properties.linear_inputs(pair.written)[0]
        self._scales = (filters.scales * np.float32(record.gain)).astype(np.float64)
        self._bias = layer.bias_values + np.asarray(record.bias_correction or 0.0, np.float64)
        self._shifts = 0.0 if layer.shifts is None else layer.shifts.astype(np.float64)
        weights = np.abs(filters.codes.reshape(layer.channels, -1).astype(np.float64))
        self._largest_sum = (INT8_MAX - INT8_MIN) * weights.sum(axis=1)
        self._ends = _ENDS.get(properties.fused_activation(pair.source), (-np.inf, np.inf))

    def mismatch(self, values: Values) -> Mismatch | None:
        output = self._operator.outputs[0]
        before, behind = (_params(self._subject, i) for i in (self._source, output))
        if before is None or behind is None or any(i not in values for i in self._feeds):
            return None
        zero = np.float32(before.zero_point)
        given = [
            values[i].astype(np.float32) - zero if i == self._source else values[i]
            for i in self._feeds
        ]
        factors = before.scale * self._scales / behind.scale
        bias = self._bias / behind.scale + self._shifts
        exact = self._runner.run(given)[0] * factors + bias
        low, high = (end / behind.scale for end in self._ends)
        allowed = 0.5 + factors * (2.5 + 2.0**-22 * self._largest_sum) + _LITTLE
        exact = exact.clip(low, high) + behind.zero_point
        return _worst(self._operator, values[output], exact, allowed)


class _Other:
    def __init__(self, subject: WrittenModel, pair: Pair) -> None:
        self._subject = subject
        self._operator = pair.written
        # Rounding them can move a product by more than a code; ``check_stored`` looks at them.
        constants = {
            source: _real_constant(subject.written, written)
            for source, written in pair.constants.items()
        }
        self._runner = OperatorRunner(subject.graph, pair.source, constants)
        self._feeds = _counterparts(subject, pair, self._runner.feeds)
        self._slack = _SLACK if pair.source.kind in _TRIED else _LARGER_SLACK
        ends = {
            _params(subject, i)
            for i in (*self._feeds, *pair.written.outputs)
            if i >= 0 and subject.written.tensors[i].type_name == "INT8"
        }
        if pair.source.kind in _MOVES and len(ends) == 1:
            self._slack = 0.0

    def mismatch(self, values: Values) -> Mismatch | None:
        if any(index not in values for index in self._feeds):
            return None
        results = self._runner.run([_real(self._subject, i, values[i]) for i in self._feeds])
        for index, result in zip(self._operator.outputs, results):
            if index not in values or result.dtype != np.float32:
                continue
            found = _compared(self._subject, self._operator, index, values, result, self._slack)
            if found is not None:
                return found
        return None


class _Limit:
    def __init__(self, subject: WrittenModel, operator: Operator) -> None:
        self._operator = operator
        self._result = operator.outputs[0]
        self._source, self._ends = subject.limits[self._result]

    def mismatch(self, values: Values) -> Mismatch | None:
        if self._source not in values or self._result not in values:
            return None
        exact = values[self._source].astype(np.float64).clip(*self._ends)
        return _worst(self._operator, values[self._result], exact, np.zeros(1))


class _Conversion:
    def __init__(self, subject: WrittenModel, operator: Operator) -> None:
        self._subject = subject
        self._operator = operator

    def mismatch(self, values: Values) -> Mismatch | None:
        source, result = self._operator.inputs[0], self._operator.outputs[0]
        if source not in values or result not in values:
            return None
        real = _real(self._subject, source, values[source])
        before, behind = (_params(self._subject, index) for index in (source, result))
        # From one scale to another, XNNPACK multiplies up to 255 codes by a multiple of 1/256.
        rescales = before is not None and behind is not None and before.scale != behind.scale
        slack = 0.6 if rescales else 0.1
        return _compared(self._subject, self._operator, result, values, real, slack)


def _counterparts(subject: WrittenModel, pair: Pair, wanted: list[int]) -> list[int]:
    """The written operator's inputs that stand for these of the float one, -1 for none."""
    by_source = {subject.meanings[i].source: i for i in pair.read if i in subject.meanings}
    return [by_source.get(index, -1) for index in wanted]


def _params(subject: WrittenModel, index: int) -> AffineParams | None:
    """What the codes of a tensor are to mean; for ends of another type, what the file says."""
    meaning = subject.meanings.get(index)
    if meaning is not None:
        return meaning.params
    return _stored_params(subject.written, index)


def _stored_params(graph: Graph, index: int) -> AffineParams | None:
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.scale is None or len(stored.scale) != 1:
        return None
    shift = 128 if graph.tensors[index].type_name == "UINT8" else 0
    return AffineParams(float(stored.scale[0]), int(stored.zeroPoint[0]) - shift)


def _real_constant(graph: Graph, index: int) -> npt.NDArray[np.float32]:
    """What an int8 constant stands for."""
    codes, params = graph.constant(index), _stored_params(graph, index)
    return codes.astype(np.float32) if params is None else dequantize(codes, params)


def _signed(values: Array) -> Double:
    """Codes as int8 has them."""
    shift = 128 if values.dtype == np.uint8 else 0
    return values.astype(np.float64) - shift


def _real(subject: WrittenModel, index: int, values: Array) -> Array:
    params = _params(subject, index)
    if params is None or values.dtype not in (np.int8, np.uint8):
        return values
    return ((_signed(values) - params.zero_point) * params.scale).astype(np.float32)


def _compared(
    subject: WrittenModel, operator: Operator, index: int, values: Values, real: Array, slack: float
) -> Mismatch | None:
    """Codes, or float values, of a tensor against the real values they should stand for."""
    found, params = values[index], _params(subject, index)
    if found.dtype in (np.int8, np.uint8) and params is not None:
        exact = real.astype(np.float64) / params.scale + params.zero_point
        # float32 holds 24 bits of what may be a large multiple of the scale.
        allowed = 0.5 + slack + _LITTLE
        return _worst(operator, _signed(found), exact, np.full(1, allowed))
    if found.dtype == np.float32:
        allowed = _FLOAT_NOISE * float(np.abs(real).max(initial=0.0))
        return _farthest(operator, found, real.astype(np.float64), np.full(1, allowed))
    return None


def _worst(operator: Operator, codes: Array, exact: Double, allowed: Double) -> Mismatch | None:
    return _farthest(operator, codes, exact.clip(INT8_MIN, INT8_MAX), allowed)


def _farthest(
    operator: Operator, found: Array, expected: Double, allowed: Double
) -> Mismatch | None:
    if found.size != expected.size or not found.size:
        return None
    found = found.reshape(expected.shape)
    over = np.abs(found - expected) - allowed
    if not over.max() > 0:
        return None
    position = np.unravel_index(int(over.argmax()), over.shape)
    channel = int(position[-1]) if position else 0
    limit = float(np.broadcast_to(allowed, over.shape)[position])
    return Mismatch(operator, channel, float(found[position]), float(expected[position]), limit)
