"""What the quantizer has to know about each kind of TFLite operator.

What their int8 kernels ask of scales is in ``operators``. ``tests/graph/test_properties.py`` checks
both against TensorFlow's quantizer and the kernels.
"""

from __future__ import annotations

import enum
import math

import numpy as np

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.numerics.affine import AffineParams


class LinearKind(enum.Enum):
    """Operators that multiply activations by a constant filter."""

    CONV = "CONV_2D"  # filter [K, kh, kw, C / groups]
    DEPTHWISE = "DEPTHWISE_CONV_2D"  # filter [1, kh, kw, K], K = C * multiplier
    DENSE = "FULLY_CONNECTED"  # filter [K, C]
    TRANSPOSE = "TRANSPOSE_CONV"  # filter [K, kh, kw, C]


# Position of (activation, filter, bias) among the inputs.
_LINEAR_INPUTS = {
    LinearKind.CONV: (0, 1, 2),
    LinearKind.DEPTHWISE: (0, 1, 2),
    LinearKind.DENSE: (0, 1, 2),
    LinearKind.TRANSPOSE: (2, 1, 3),
}

# The axis of the filter that the output channels lie on.
OUTPUT_CHANNEL_AXIS = {
    LinearKind.CONV: 0,
    LinearKind.DEPTHWISE: 3,
    LinearKind.DENSE: 0,
    LinearKind.TRANSPOSE: 0,
}

# Output codes mean the same as input codes: inputs and outputs share scale and zero point.
SAME_SCALE = frozenset(kind for kind, k in INT8_KERNELS.items() if k.scales is Scales.SHARED)

# Those of them whose results are all values of their one input.
PICKS = frozenset(
    """
    DEPTH_TO_SPACE EXPAND_DIMS MAX_POOL_2D RESHAPE RESIZE_NEAREST_NEIGHBOR SLICE SPACE_TO_DEPTH
    SQUEEZE STRIDED_SLICE TRANSPOSE
    """.split()
)

# Those of them that compute new values: quantizing before or after them is not the same.
AVERAGING = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})

# Kernels that fill gaps with code 0, whatever the zero point.
FILLS_WITH_CODE_ZERO = frozenset({"MATRIX_DIAG", "SCATTER_ND"})

# They take no value of an operand that is below, or above, all of the other.
LOSES_BELOW, LOSES_ABOVE = frozenset({"MAXIMUM"}), frozenset({"MINIMUM"})

# Calls, resource variables and tables: what one operator leaves there another reads, so that parts
# of a network cannot be run by themselves.
UNSUPPORTED = frozenset(
    """
    CALL CALL_ONCE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_SIZE STABLEHLO_WHILE STABLEHLO_COMPOSITE
    """.split()
)

# They have weights, in subgraphs some of them, and no int8 form here.
WEIGHTS_IN_FLOAT = frozenset(
    """
    BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN CONV_3D CONV_3D_TRANSPOSE IF LSTM RNN
    SVDF UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN WHILE
    """.split()
)

# Codes that mean the integers of an input themselves, by its type.
RAW_TYPES = {"UINT8": AffineParams(1.0, -128), "INT8": AffineParams(1.0, 0)}

# What is computed from raw integers value by value, or stays between them.
_KEEP_RAW = PICKS | {"PAD", "RESIZE_BILINEAR"}
_SHIFT_RAW = frozenset({"ADD", "MUL", "SUB"})

_NONDECREASING = frozenset("ELU LOGISTIC RELU RELU6 RELU_N1_TO_1 TANH".split())

# Results of these are 0 at least.
_NONNEGATIVE = frozenset({"ABS", "EXP", "LOGISTIC", "SOFTMAX"})

NONNEGATIVE_ACTIVATIONS = frozenset({"RELU", "RELU6"})


def linear_kind(operator: Operator) -> LinearKind | None:
    """The kind of a convolution-like operator, ``None`` for any other."""
    try:
        return LinearKind(operator.kind)
    except ValueError:
        return None


def linear_inputs(operator: Operator) -> tuple[int, int, int]:
    """Tensor indices of activation, filter and bias (-1 if absent) of a linear operator."""
    positions = _LINEAR_INPUTS[LinearKind(operator.kind)]
    activation, filters, bias = (
        operator.inputs[p] if p < len(operator.inputs) else -1 for p in positions
    )
    return activation, filters, bias


def has_constant_filter(graph: Graph, operator: Operator) -> bool:
    """Whether the operator is linear with a float filter stored in the model."""
    if linear_kind(operator) is None:
        return False
    filters = graph.tensors[linear_inputs(operator)[1]]
    return filters.is_constant and filters.is_float


def fixed_output(graph: Graph, operator: Operator) -> AffineParams | None:
    """Parameters of the output that are not to be chosen.

    Those that the int8 specification prescribes, or those under which codes are the raw integers
    of an input: what is computed from 256 values, one by one, is exact under a scale of its own.
    """
    kernel = INT8_KERNELS.get(operator.kind)
    fixed = None if kernel is None else kernel.fixed
    return fixed or _raw_output(graph, operator)


def reads_raw_input(graph: Graph, operator: Operator) -> bool:
    """Whether the operator makes real values of an input of 8-bit integers without a scale."""
    if operator.kind != "CAST" or operator.inputs[0] not in graph.inputs:
        return False
    is_raw = graph.tensors[operator.inputs[0]].type_name in RAW_TYPES
    return is_raw and graph.tensors[operator.outputs[0]].is_float


def _raw_output(graph: Graph, operator: Operator) -> AffineParams | None:
    """Parameters under which the output has a code for each integer of the input behind it."""
    if reads_raw_input(graph, operator):
        return RAW_TYPES[graph.tensors[operator.inputs[0]].type_name]
    if operator.kind not in _KEEP_RAW and operator.kind not in _SHIFT_RAW:
        return None
    sources = [i for i in operator.inputs if i >= 0 and graph.tensors[i].is_float]
    computed = [index for index in sources if not graph.tensors[index].is_constant]
    producer = graph.producer(computed[0]) if len(computed) == 1 else None
    before = None if producer is None else _raw_output(graph, producer)
    if before is None or operator.kind in _KEEP_RAW:
        return before
    constants = [index for index in sources if graph.tensors[index].is_constant]
    if len(constants) != 1 or fused_activation(operator) != "NONE":
        return None
    values = graph.constant(constants[0])
    is_first = operator.inputs[0] == computed[0]
    return (
        _shifted(operator.kind, before, float(values.flat[0]), is_first)
        if (values.size == 1)
        else None
    )


def _shifted(
    kind: str, before: AffineParams, constant: float, is_first: bool
) -> AffineParams | None:
    """Parameters behind an operator with a constant, one code for one; None if there are none."""
    if kind == "MUL":
        scale = float(np.float32(before.scale * constant))
        return AffineParams(scale, before.zero_point) if constant > 0 else None
    if kind == "SUB" and not is_first:
        return None
    shift = (constant if kind == "SUB" else -constant) / before.scale
    zero_point = math.floor(before.zero_point + shift + 0.5)
    return AffineParams(before.scale, zero_point) if -128 <= zero_point <= 127 else None


def fused_activation(operator: Operator) -> str:
    """Name of the fused activation function, ``NONE`` if there is none."""
    code = getattr(operator.options, "fusedActivationFunction", 0)
    return schema.activation_names()[code]


def never_falls(operator: Operator) -> bool:
    """Whether the operator is a nondecreasing function of each value."""
    if operator.kind == "LEAKY_RELU":
        return bool(operator.options.alpha >= 0)
    return operator.kind in _NONDECREASING


def makes_nonnegative(operator: Operator) -> bool:
    """Whether the int8 kernel itself clamps its output codes at the zero point from below."""
    return operator.kind in ("RELU", "RELU6", "RELU_0_TO_1") or (
        fused_activation(operator) in NONNEGATIVE_ACTIVATIONS
    )


def is_nonnegative(graph: Graph, tensor: int) -> bool:
    """Whether a computed tensor holds no value below 0, whatever the network is fed."""
    writer = graph.producer(tensor)
    if writer is None:
        return False
    if writer.kind in PICKS | AVERAGING:
        return is_nonnegative(graph, writer.inputs[0])
    return writer.kind in _NONNEGATIVE or makes_nonnegative(writer)
