"""Operators that stock runtimes are slow at in int8, as others that they run fast.

XNNPACK has no int8 kernel for some operators and leaves them to the runtime's built-in ones, which
take one value after the other: a RELU by itself takes 8 ns for a value, where XNNPACK's addition
takes a tenth of one (``docs/speed.md``). Each form here gives the codes that the operator gives, or
the ones that rounding its exact result gives where the operator's kernel rounds more than once:

- *clamps* are the activation function that an addition of 0 fuses;
- *two slopes*, PRELU and ABS: of ``max(x, 0)`` and ``a min(x, 0)`` one is 0 wherever the other is
  not. Both are rounded to codes of the result's scale, so that adding them rounds nothing. The
  ends of int8 do the clamping: codes with zero point -128 begin at 0, with 127 they end there;
- *averages* of windows that lie inside the input are a depthwise convolution with equal weights;
- *HARD_SWISH* is ``x h`` with ``h = x / 6 + 1/2`` between 0 and 1. Codes of ``x`` stand for
  ``x / 6`` under a sixth of the scale, and if 3 is a multiple of the scale, so that ``1/2`` is one
  of a sixth of it, ``h`` is exact, too (``with_fast_swish`` makes it so).

Where scales are further apart than XNNPACK takes, the operator stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams
from tflite_eq.writing.assembly import Assembly
from tflite_eq.writing.constants import Codes, full_range

Params = Mapping[int, AffineParams]
Float = npt.NDArray[np.float32]

# Scales over that of the result for which XNNPACK has kernels: of an operand of an addition, of a
# product of two tensors, and of the products of a convolution.
_ADDED = (2.0**-10, 2.0**8)
_MULTIPLIED = (2.0**-16, 2.0**8)
_CONVOLVED = (0.0, 2.0**8)

# Built-in kernels round products twice, the first time to multiples of up to twice this ratio.
_ROUNDED_ONCE = (2.0**-16, 2.0**-3)

# Real values between which an activation function leaves everything as it is.
_CLAMPS = {
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
_FUSED = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")

# In codes of the result for one of the input: less moves none by a hundredth of a code, and kernels
# refuse the scales of far smaller ones.
_LEAST_SLOPE = 2.0**-17

# Where HARD_SWISH becomes the identity, and by what part of a code it may be off a multiple.
_SWISH_END = 3.0
_EXACT = 1e-3
# With 16 steps up to there the scale becomes coarser by 6 % at most, by 1 % in most networks.
_FEWEST_STEPS = 16

# XNNPACK's depthwise kernels take so many weights at once, and several times as long for more.
_LARGEST_WINDOW = 25

# XNNPACK takes no more dimensions.
_MOST_DIMENSIONS = 6


def add_fast_form(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    """Add the fast form of an operator that computes on codes.

    Args:
        assembly: The int8 network in the making.
        graph: The float network.
        operator: One of its operators.
        params: Scale and zero point of its tensors.

    Returns:
        Whether it has one; if not, nothing has been added.
    """
    return has_fast_form(graph, operator) and _RULES[operator.kind](
        assembly, graph, operator, params
    )


def has_fast_form(graph: Graph, operator: Operator) -> bool:
    """Whether there is a fast form of an operator under all but unusual scales."""
    if operator.kind not in _RULES:
        return False
    if len(graph.tensors[operator.outputs[0]].shape) > _MOST_DIMENSIONS:
        return False
    if operator.kind == "AVERAGE_POOL_2D":
        return _is_average_faster(graph, operator)
    if operator.kind == "PRELU":
        return graph.tensors[operator.inputs[1]].is_constant
    return True


def _add_clamp(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    source, result = operator.inputs[0], operator.outputs[0]
    before, behind = params[source], params[result]
    fused = _clamping_alike(_CLAMPS[operator.kind], behind)
    if fused is None or not _lies_in(before.scale / behind.scale, _ADDED):
        return False
    read = assembly.as_codes(source, before)
    _add_zero(assembly, graph, source, read, before, result, fused)
    assembly.take_codes(result, behind)
    assembly.note_form(operator, [read])
    return True


def _clamping_alike(ends: tuple[float, float], params: AffineParams) -> str | None:
    """A fused activation function that ends codes where a function with these ends does."""
    wanted = _code_ends(ends, params)
    for name in _FUSED:
        if _code_ends(_CLAMPS.get(name, (-np.inf, np.inf)), params) == wanted:
            return name
    return None


def _code_ends(ends: tuple[float, float], params: AffineParams) -> tuple[float, float]:
    low, high = (
        float(np.clip(np.round(end / params.scale) + params.zero_point, INT8_MIN, INT8_MAX))
        for end in ends
    )
    return low, high


def _add_prelu(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    source, slopes = operator.inputs
    values, shape = graph.constant(slopes), graph.tensors[source].shape
    per_channel = len(shape) == 4 and values.size == values.shape[-1] == shape[3]
    if per_channel:
        multiply, limits = _multiply_channels, _CONVOLVED
    else:
        multiply, limits = _multiply, _MULTIPLIED
    return _add_two_slopes(assembly, graph, operator, params, values, multiply, limits)


def _add_abs(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    slope = np.full(_scalar_shape(graph, operator.inputs[0]), -1.0, np.float32)
    return _add_two_slopes(assembly, graph, operator, params, slope, _multiply, _MULTIPLIED)


def _add_two_slopes(
    assembly: Assembly,
    graph: Graph,
    operator: Operator,
    params: Params,
    slopes: Float,
    multiply: Callable[..., None],
    limits: tuple[float, float],
) -> bool:
    """Add what is the identity above 0 and has other slopes below."""
    source, result = operator.inputs[0], operator.outputs[0]
    before, behind = params[source], params[result]
    if not slopes.size:
        return False
    ratio, of_slopes = before.scale / behind.scale, full_range(slopes).scale
    if not _lies_in(ratio, _ADDED) or not _lies_in(ratio * of_slopes, limits):
        return False
    read = assembly.as_codes(source, before)
    above = assembly.between(result, "above", AffineParams(behind.scale, INT8_MIN))
    _add_zero(assembly, graph, source, read, before, above, "NONE")
    negative = read
    if slopes.min() < 0 < slopes.max():
        # The sign of the product differs between channels: its input is cut off instead.
        negative = assembly.between(result, "negative", AffineParams(before.scale, INT8_MAX))
        assembly.append("QUANTIZE", [read], [negative], ("QuantizeOptions", {}))
        zero_point = behind.zero_point
    else:
        zero_point = INT8_MAX if slopes.min() >= 0 else INT8_MIN
    below = assembly.between(result, "below", AffineParams(behind.scale, zero_point))
    scales = (before.scale, behind.scale)
    multiply(assembly, negative, slopes, scales, below, graph.tensors[result].name)
    assembly.append("ADD", [above, below], [result], _fusing("Add", "NONE"))
    assembly.take_codes(result, behind)
    assembly.note_form(operator, [read])
    return True


def _multiply(
    assembly: Assembly,
    read: int,
    factors: Float,
    scales: tuple[float, float],
    made: int,
    name: str,
) -> None:
    """Add a product with constants that share one scale."""
    codes = _codes(factors, full_range(factors))
    constant = assembly.named_constant(f"{name}/factors", codes)
    assembly.append("MUL", [read, constant], [made], _fusing("Mul", "NONE"))


def _multiply_channels(
    assembly: Assembly,
    read: int,
    factors: Float,
    scales: tuple[float, float],
    made: int,
    name: str,
) -> None:
    """Add a product with a constant for each channel that has a scale of its own, so is exact."""
    before, behind = scales
    least = np.float32(_LEAST_SLOPE * behind / before)
    own = np.maximum(np.abs(factors.ravel()), least) / np.float32(INT8_MAX)
    codes = np.round(factors.ravel() / own).astype(np.int8)
    _add_depthwise(assembly, read, made, name, (codes.reshape(1, 1, 1, -1), own, before), {})


def _add_depthwise(
    assembly: Assembly,
    read: int,
    made: int,
    name: str,
    weights: tuple[npt.NDArray[np.int8], Float, float],
    options: dict[str, int],
) -> None:
    """Add a depthwise convolution that pads nothing and has no bias.

    ``weights`` are codes [1, height, width, channels], their scales, and the scale of the input.
    """
    codes, scales, scale = weights
    zeros = np.zeros(codes.shape[-1], np.int32)
    inputs = [
        read,
        assembly.named_constant(f"{name}/weights", Codes(codes, scales, axis=3)),
        assembly.named_constant(f"{name}/bias", Codes(zeros, np.float32(scale) * scales)),
    ]
    fields = {"strideH": 1, "strideW": 1, **options}
    fields.update(depthMultiplier=1, padding=schema.schema().Padding.VALID)
    assembly.append("DEPTHWISE_CONV_2D", inputs, [made], ("DepthwiseConv2DOptions", fields))


def with_fast_swish(params: AffineParams) -> AffineParams:
    """The next coarser scale of which 3 is a multiple, unless much would be lost by it."""
    steps = math.floor(_SWISH_END / params.scale + _EXACT)
    if steps < _FEWEST_STEPS:
        return params
    return AffineParams(_SWISH_END / steps, params.zero_point)


def _add_hard_swish(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    source, result = operator.inputs[0], operator.outputs[0]
    before, behind = params[source], params[result]
    steps = _SWISH_END / before.scale
    sixth = before.scale / 6
    if abs(steps - round(steps)) > _EXACT:
        return False
    if not _lies_in(before.scale * sixth / behind.scale, _ROUNDED_ONCE):
        return False
    # Where 1 has no code, the largest x must come to less.
    ends_below = round(steps) <= before.zero_point - INT8_MIN
    if 2 * round(steps) > INT8_MAX - INT8_MIN and not ends_below:
        return False
    read, name = assembly.as_codes(source, before), graph.tensors[result].name
    shape = _scalar_shape(graph, source)
    sixths = assembly.between(result, "sixth", AffineParams(sixth, before.zero_point))
    _multiply(assembly, read, np.full(shape, 1 / 6, np.float32), (0, 0), sixths, name)
    half = np.full(shape, 0.5, np.float32)
    constant = assembly.named_constant(f"{name}/half", _codes(half, full_range(half)))
    share = assembly.between(result, "share", AffineParams(sixth, INT8_MIN))
    # From the codes' lower end, which is 0, to 1.
    assembly.append("ADD", [sixths, constant], [share], _fusing("Add", "RELU_N1_TO_1"))
    assembly.append("MUL", [read, share], [result], _fusing("Mul", "NONE"))
    assembly.take_codes(result, behind)
    assembly.note_form(operator, [read])
    return True


def _add_average(assembly: Assembly, graph: Graph, operator: Operator, params: Params) -> bool:
    options, source, result = operator.options, operator.inputs[0], operator.outputs[0]
    window = (options.filterHeight, options.filterWidth)
    shared = params[result]
    read = assembly.as_codes(source, shared)
    codes = np.full((1, *window, graph.tensors[source].shape[3]), INT8_MAX, np.int8)
    scales = np.array([1 / (INT8_MAX * window[0] * window[1])], np.float32)
    names = ("strideH", "strideW", "fusedActivationFunction")
    _add_depthwise(
        assembly,
        read,
        result,
        graph.tensors[result].name,
        (codes, scales, shared.scale),
        {name: getattr(options, name) for name in names},
    )
    assembly.take_codes(result, shared)
    assembly.note_form(operator, [read])
    return True


def _is_average_faster(graph: Graph, operator: Operator) -> bool:
    options, shape = operator.options, graph.tensors[operator.inputs[0]].shape
    window = (options.filterHeight, options.filterWidth)
    is_small = window[0] * window[1] <= _LARGEST_WINDOW and window != shape[1:3]
    return is_small and _lies_inside(graph, operator)


def _lies_inside(graph: Graph, operator: Operator) -> bool:
    """Whether no window of a pool reaches beyond the input, whatever size that has."""
    options = operator.options
    if options.padding == schema.schema().Padding.VALID:
        return True
    sizes = graph.signature(operator.inputs[0])[1:3]
    windows = (options.filterHeight, options.filterWidth)
    strides = (options.strideH, options.strideW)
    return all(
        size > 0 and (-(-size // stride) - 1) * stride + window <= size
        for size, window, stride in zip(sizes, windows, strides)
    )


def _add_zero(
    assembly: Assembly,
    graph: Graph,
    source: int,
    read: int,
    before: AffineParams,
    made: int,
    fused: str,
) -> None:
    """Add what brings codes to another scale and zero point, and clamps them, by adding 0."""
    zeros = np.zeros(_scalar_shape(graph, source), np.float32)
    # Of the scale of what it is added to: kernels bring both operands to the coarser one first.
    codes = _codes(zeros, AffineParams(before.scale, 0))
    zero = assembly.named_constant(f"{graph.tensors[source].name}/zero", codes)
    assembly.append("ADD", [read, zero], [made], _fusing("Add", fused))


def _codes(values: Float, params: AffineParams) -> Codes:
    exact = values.astype(np.float64) / params.scale + params.zero_point
    codes = np.clip(np.round(exact), INT8_MIN, INT8_MAX).astype(np.int8)
    return Codes(codes, np.array([params.scale], np.float32), params.zero_point)


def _scalar_shape(graph: Graph, tensor: int) -> tuple[int, ...]:
    """The shape of one value, of a rank that no result grows by."""
    return (1,) * min(1, len(graph.tensors[tensor].shape))


def _fusing(kind: str, function: str) -> tuple[str, dict[str, int]]:
    code = getattr(schema.schema().ActivationFunctionType, function)
    return f"{kind}Options", {"fusedActivationFunction": code}


def _lies_in(ratio: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= ratio < ends[1]


_RULES: dict[str, Callable[[Assembly, Graph, Operator, Params], bool]] = {
    **dict.fromkeys(_CLAMPS, _add_clamp),
    "ABS": _add_abs,
    "AVERAGE_POOL_2D": _add_average,
    "HARD_SWISH": _add_hard_swish,
    "PRELU": _add_prelu,
}

FAST_FORMS = frozenset(_RULES)
