"""What operators cost on a stock runtime, in float and in INT8: measured nanoseconds.

Origin: ``python -m benchmarks.operators`` on ai-edge-litert 2.3.0, one thread of an AMD Zen 4 with
AVX-512 VNNI and without a matrix unit, inputs of 56x56x96, least of 150 runs (``docs/speed.md``).
On another CPU all figures are others, but the ratio that matters, 10 to 30 between what XNNPACK
runs and what it leaves to built-in kernels that take one value after the other, is alike on those
that were looked at.
"""

from __future__ import annotations

import dataclasses
import math

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind
from tflite_eq.writing.fast_forms import has_fast_form


@dataclasses.dataclass(frozen=True)
class Price:
    """Nanoseconds for each of an operator's units.

    Attributes:
        real: In float.
        codes: In INT8.
        form: In INT8 as its fast form, where it has one.
    """

    real: float
    codes: float
    form: float | None = None


# For each value of the larger of what is read and what is written.
_VALUES = {
    "ABS": Price(0.267, 5.569, 0.448),
    "ADD": Price(0.238, 0.087),
    "ARG_MAX": Price(0.373, 0.272),
    "ARG_MIN": Price(0.356, 0.540),
    "AVERAGE_POOL_2D": Price(0.543, 3.698, 0.467),
    "BATCH_TO_SPACE_ND": Price(0.326, 0.081),
    "CONCATENATION": Price(0.313, 0.113),
    "DEPTH_TO_SPACE": Price(0.360, 0.097),
    "ELU": Price(0.268, 0.112),
    "EQUAL": Price(0.180, 0.976),
    "EXP": Price(0.239, 0.317),
    "GATHER": Price(2.197, 2.462),
    "GELU": Price(0.304, 0.320),
    "GREATER": Price(0.187, 0.974),
    "GREATER_EQUAL": Price(0.187, 0.974),
    "HARD_SWISH": Price(0.253, 3.565, 0.440),
    "L2_NORMALIZATION": Price(0.790, 3.704),
    "LEAKY_RELU": Price(0.268, 0.076),
    "LESS": Price(0.217, 0.974),
    "LESS_EQUAL": Price(0.217, 0.974),
    "LOG": Price(0.263, 0.317),
    "LOGISTIC": Price(0.317, 0.111),
    "LOG_SOFTMAX": Price(1.370, 1.257),
    "MAXIMUM": Price(0.233, 0.056),
    "MAX_POOL_2D": Price(0.321, 0.111),
    "MEAN": Price(0.169, 0.053),
    "MINIMUM": Price(0.219, 0.053),
    "MIRROR_PAD": Price(6.583, 7.638),
    "MUL": Price(0.251, 0.106),
    "NOT_EQUAL": Price(0.180, 0.976),
    "PACK": Price(0.375, 0.123),
    "PAD": Price(0.302, 0.134),
    "PADV2": Price(0.308, 0.417),
    "PRELU": Price(0.283, 7.821, 0.574),
    "REDUCE_MAX": Price(0.334, 0.051),
    "REDUCE_MIN": Price(0.411, 0.050),
    "RELU": Price(0.480, 8.440, 0.132),
    "RELU6": Price(0.444, 8.453, 0.120),
    "RELU_0_TO_1": Price(0.326, 8.523, 0.120),
    "RELU_N1_TO_1": Price(0.437, 8.691, 0.121),
    "RESHAPE": Price(0.336, 0.095),
    "RESIZE_BILINEAR": Price(0.362, 0.271),
    "RESIZE_NEAREST_NEIGHBOR": Price(0.193, 0.053),
    "REVERSE_V2": Price(0.410, 0.125),
    "SELECT": Price(0.277, 1.689),
    "SELECT_V2": Price(0.303, 1.695),
    "SLICE": Price(0.330, 0.070),
    "SOFTMAX": Price(0.446, 2.019),
    "SPACE_TO_BATCH_ND": Price(0.495, 0.156),
    "SPACE_TO_DEPTH": Price(0.463, 0.109),
    "SPLIT": Price(0.389, 0.118),
    "SPLIT_V": Price(0.318, 0.105),
    "SQUARED_DIFFERENCE": Price(0.296, 3.718),
    "STRIDED_SLICE": Price(1.203, 1.169),
    "SUB": Price(0.229, 0.082),
    "SUM": Price(0.146, 0.046),
    "TANH": Price(0.238, 0.111),
    "TILE": Price(0.223, 0.064),
    "TOPK_V2": Price(9.452, 7.527),
    "TRANSPOSE": Price(0.563, 0.213),
    "UNPACK": Price(0.401, 0.087),
}

# Of those that were not measured: what moving values costs.
_OTHER = Price(0.35, 0.1)

# A pool whose one window is all of the input.
_WHOLE_POOL = Price(0.245, 0.092)

# For each multiplication.
_PRODUCTS = {
    "CONV_2D": Price(0.0235, 0.0053),
    "TRANSPOSE_CONV": Price(0.0400, 0.0085),
    "DEPTHWISE_CONV_2D": Price(0.0700, 0.0550),
    "FULLY_CONNECTED": Price(0.1280, 0.0570),
    "BATCH_MATMUL": Price(0.0420, 0.1700),
}
# Kernels take input channels by fours or eights, and multiply zeros where there are fewer.
_FEW_CHANNELS = 4
_CONV_OF_FEW_CHANNELS = Price(0.0345, 0.0190)

# What turns real values into codes or back, for each value; and every operator's own time.
CONVERSION_NS = 0.1
OPERATOR_NS = 300.0


@dataclasses.dataclass(frozen=True)
class OperatorTime:
    """An operator's nanoseconds in one inference.

    Attributes:
        real: In float.
        codes: In INT8, as it would be written.
    """

    real: float
    codes: float


def operator_time(graph: Graph, operator: Operator, fast: bool) -> OperatorTime:
    """What an operator of a float network takes, by its shapes.

    Args:
        graph: The float network.
        operator: One of its operators.
        fast: Whether it is written in its fast form, where it has one.
    """
    price, units = _price(graph, operator), _values(graph, operator)
    if operator.kind in _PRODUCTS:
        units = _products(graph, operator)
    codes = price.codes
    if fast and price.form is not None and has_fast_form(graph, operator):
        codes = price.form
    return OperatorTime(OPERATOR_NS + units * price.real, OPERATOR_NS + units * codes)


def values_of(graph: Graph, tensor: int) -> int:
    """Values of a computed float tensor; 0 of any other."""
    view = graph.tensors[tensor]
    return math.prod(view.shape) if view.is_float and not view.is_constant else 0


def _price(graph: Graph, operator: Operator) -> Price:
    if operator.kind == LinearKind.CONV.value:
        _, filters, _ = properties.linear_inputs(operator)
        shape = graph.tensors[filters].shape
        if shape and shape[-1] <= _FEW_CHANNELS:
            return _CONV_OF_FEW_CHANNELS
    if operator.kind == "AVERAGE_POOL_2D" and _is_whole(graph, operator):
        return _WHOLE_POOL
    return _PRODUCTS.get(operator.kind) or _VALUES.get(operator.kind, _OTHER)


def _is_whole(graph: Graph, operator: Operator) -> bool:
    window = (operator.options.filterHeight, operator.options.filterWidth)
    return window == graph.tensors[operator.inputs[0]].shape[1:3]


def _values(graph: Graph, operator: Operator) -> int:
    read = sum(values_of(graph, index) for index in operator.inputs if index >= 0)
    return max(read, sum(values_of(graph, index) for index in operator.outputs))


def _products(graph: Graph, operator: Operator) -> int:
    """Multiplications of what multiplies two tensors."""
    made = math.prod(graph.tensors[operator.outputs[0]].shape)
    if operator.kind == "BATCH_MATMUL":
        shape = graph.tensors[operator.inputs[0]].shape
        return made * shape[-2 if operator.options.adjX else -1]
    activation, filters, _ = properties.linear_inputs(operator)
    shape = graph.tensors[filters].shape
    if operator.kind == LinearKind.TRANSPOSE.value:
        made = math.prod(graph.tensors[activation].shape)
        return made * math.prod(shape[:-1])
    if operator.kind == LinearKind.DEPTHWISE.value:
        return made * math.prod(shape[1:3])
    return made * math.prod(shape[1:])
