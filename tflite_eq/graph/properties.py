"""What the quantizer has to know about each kind of TFLite operator.

What their int8 kernels ask of scales is in ``operators``. ``tests/graph/test_properties.py`` checks
both against TensorFlow's quantizer and the kernels.
"""

from __future__ import annotations

import enum

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

# Sub-graphs, resource variables and string handling: their bodies stay float or are opaque.
UNSUPPORTED = frozenset(
    """
    WHILE IF CALL CALL_ONCE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_SIZE STABLEHLO_WHILE STABLEHLO_COMPOSITE
    """.split()
)

_NONDECREASING = frozenset("ELU LOGISTIC RELU RELU6 RELU_N1_TO_1 TANH".split())

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


def fixed_output(operator: Operator) -> AffineParams | None:
    """Parameters that the int8 specification prescribes for the output, if it does."""
    kernel = INT8_KERNELS.get(operator.kind)
    return None if kernel is None else kernel.fixed


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
