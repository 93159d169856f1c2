"""Functions of one value that networks compute by several operators, and what they are.

A PReLU may be ``relu(x) - a * relu(-x)``, a maximum, a selection, or half a sum with an absolute
value; a hard-swish comes in every order of its factors. Whichever it is, the operators between two
tensors make a *function*, and functions are told apart by their values: they are computed here in
double precision, wherever they bend or curve.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator

Array = npt.NDArray[Any]

# More operators than the longest of known forms has (an error function by a rational one: ~45).
_MOST_OPERATORS = 80

# Values that the constants of a function make together, such as one for each channel.
_MOST_CHANNELS = 8192

# Points times channels that are computed; more channels get fewer points.
_MOST_VALUES = 1_000_000

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def gelu(x: Array, approximate: bool) -> Array:
    """GELU (arXiv 1606.08415): by the error function, or by the hyperbolic tangent in its place."""
    if approximate:
        share = np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))
    else:
        share = _erf(x / math.sqrt(2.0))
    return np.asarray(0.5 * x * (1.0 + share))


def hard_swish(x: Array) -> Array:
    """``x relu6(x + 3) / 6`` (arXiv 1905.02244)."""
    return np.asarray(x * np.clip(x + 3.0, 0.0, 6.0) / 6.0)


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``, without overflow."""
    return np.logaddexp(0.0, x)


def elu(x: Array) -> Array:
    """``exp(x) - 1`` below 0, ``x`` above."""
    return np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x)


_CLAMPS = {
    "NONE": (-np.inf, np.inf),
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}

_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "ABS": np.abs,
    # What TensorFlow's converter leaves to its own kernels.
    "CUSTOM:FlexErf": _erf,
    "CUSTOM:FlexErfc": lambda x: 1.0 - _erf(x),
    "CUSTOM:FlexExpm1": np.expm1,
    "CUSTOM:FlexLog1p": np.log1p,
    "CUSTOM:FlexSelu": lambda x: (
        1.0507009873554805 * np.where(x < 0, 1.6732632423543772 * elu(x), x)
    ),
    "CUSTOM:FlexSoftplus": softplus,
    "ADD": np.add,
    "DIV": np.divide,
    "ELU": elu,
    "EQUAL": np.equal,
    "EXP": np.exp,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "HARD_SWISH": hard_swish,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "LOG": np.log,
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_NOT": np.logical_not,
    "LOGICAL_OR": np.logical_or,
    "LOGISTIC": sigmoid,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NEG": np.negative,
    "NOT_EQUAL": np.not_equal,
    "POW": np.power,
    "PRELU": lambda x, slope: np.where(x < 0, slope * x, x),
    "RSQRT": lambda x: 1.0 / np.sqrt(x),
    "SELECT": np.where,
    "SELECT_V2": np.where,
    "SIGN": np.sign,
    "SQRT": np.sqrt,
    "SQUARE": np.square,
    "SQUARED_DIFFERENCE": lambda x, y: np.square(x - y),
    "SUB": np.subtract,
    "TANH": np.tanh,
    **{
        kind: lambda x, low=low, high=high: np.clip(x, low, high)
        for kind, (low, high) in _CLAMPS.items()
        if kind != "NONE"
    },
}

# Those whose options say which function they are; CAST is taken from truth values only.
_WITH_OPTIONS = frozenset({"CAST", "GELU", "LEAKY_RELU"})


@dataclasses.dataclass(frozen=True)
class Function:
    """Operators that compute one tensor of another, value by value.

    Attributes:
        source: The tensor they read beside constants.
        result: The tensor they write, of the same shape and type. What they write on the way is
            read by nothing else.
        operators: The operators in execution order; the last one writes ``result``.
    """

    source: int
    result: int
    operators: tuple[Operator, ...]


def functions_of(graph: Graph, result: int) -> Iterator[Function]:
    """The functions whose values a tensor is, from the shortest to the longest.

    Args:
        graph: The network.
        result: The tensor.
    """
    if not graph.tensors[result].is_float:
        return
    taken: list[Operator] = []
    leaves = {result}
    while leaves and len(taken) < _MOST_OPERATORS:
        # Latest first: then no tensor is walked past that alone leads to the result.
        writers = {leaf: graph.producer(leaf) for leaf in leaves}
        latest = max(leaves, key=lambda leaf: getattr(writers[leaf], "index", -1))
        writer = writers[latest]
        if writer is None or not _is_inside(graph, latest, result, taken):
            return
        if not _computes_by_value(graph, writer, result):
            return
        taken.append(writer)
        if _channels(graph, taken) > _MOST_CHANNELS:
            return
        leaves.remove(latest)
        leaves.update(i for i in writer.inputs if not graph.tensors[i].is_constant)
        if len(leaves) == 1:
            (source,) = leaves
            if _is_alike(graph, source, result) and graph.tensors[source].is_float:
                yield Function(source, result, tuple(reversed(taken)))


def points(graph: Graph, function: Function) -> Array:
    """Where a function is computed: densely around 0, beside its constants, and far out.

    Returns:
        Numbers in a shape that constants of a per-channel shape can be combined with.
    """
    constants = [
        graph.constant(i).astype(np.float64).ravel()
        for i in sorted({i for o in function.operators for i in o.inputs})
        if graph.tensors[i].is_constant
    ]
    is_small = _channels(graph, function.operators) * 800 <= _MOST_VALUES
    count = 601 if is_small else 97
    outwards = np.concatenate([np.geomspace(1e-6, 0.1, 21), np.geomspace(12.5, 3e4, 21)])
    # Functions bend where they are compared with a constant, or where a multiple of one is 0.
    bends = np.concatenate([values for values in constants if values.size == 1] or [outwards[:0]])
    beside = np.abs(bends[:32, None]) * [0.999, 1.001]
    positive = np.concatenate([outwards, beside.ravel()])
    positive = positive[(positive > 0) & (positive < 1e30)]
    values: Array = np.concatenate([np.linspace(-12.0, 12.0, count), positive, -positive])
    return values.reshape([-1] + [1] * len(graph.tensors[function.source].shape))


def values_of(graph: Graph, function: Function, x: Array) -> Array:
    """A function's values, computed in double precision.

    Args:
        graph: The network.
        function: The function.
        x: Points, in a shape as of ``points``.

    Returns:
        An array of one dimension more than ``result`` has: points first.
    """
    known: dict[int, Array] = {function.source: x}
    with np.errstate(all="ignore"):
        for operator in function.operators:
            operands = [known[i] if i in known else _constant(graph, i) for i in operator.inputs]
            made = _function(graph, operator)(*operands)
            activation = properties.fused_activation(operator)
            if activation != "NONE":
                made = np.clip(made, *_CLAMPS[activation])
            known[operator.outputs[0]] = made
    return np.asarray(known[function.result], np.float64)


def _channels(graph: Graph, operators: Sequence[Operator]) -> int:
    """How many values the constants of operators make when they are combined."""
    constants = [i for o in operators for i in o.inputs if graph.tensors[i].is_constant]
    return math.prod(np.broadcast_shapes(*(graph.tensors[i].shape for i in constants)))


def _is_inside(graph: Graph, tensor: int, result: int, taken: list[Operator]) -> bool:
    """Whether a tensor is the result, or nothing but what has been taken reads it."""
    if tensor == result:
        return True
    return tensor not in graph.outputs and all(o in taken for o in graph.consumers(tensor))


def _computes_by_value(graph: Graph, operator: Operator, result: int) -> bool:
    """Whether an operator computes each value of one or more values at the same place."""
    if operator.kind not in _FUNCTIONS and operator.kind not in _WITH_OPTIONS:
        return False
    if operator.kind == "CAST" and graph.tensors[operator.inputs[0]].type_name != "BOOL":
        return False
    if properties.fused_activation(operator) not in _CLAMPS or -1 in operator.inputs:
        return False
    if operator.kind == "SELECT" and _ranks_differ(graph, operator):
        return False
    for index in operator.inputs:
        tensor = graph.tensors[index]
        if tensor.is_constant:
            if tensor.type_name not in ("FLOAT32", "BOOL"):
                return False
            if not _spreads_to(tensor.shape, graph.tensors[result].shape):
                return False
    return _is_alike(graph, operator.outputs[0], result)


def _spreads_to(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether values of one shape are broadcast to another without making it larger."""
    ends = zip(reversed(shape), reversed(wanted))
    return len(shape) <= len(wanted) and all(size in (1, other) for size, other in ends)


def _ranks_differ(graph: Graph, operator: Operator) -> bool:
    """Whether a SELECT picks whole rows, which its first version does for conditions of rank 1."""
    return len({len(graph.tensors[i].shape) for i in operator.inputs}) > 1


def _is_alike(graph: Graph, tensor: int, other: int) -> bool:
    """Whether two tensors are of one shape and hold real or truth values."""
    one, two = graph.tensors[tensor], graph.tensors[other]
    is_number = one.type_name in ("FLOAT32", "BOOL")
    return is_number and one.shape == two.shape and one.dynamic == two.dynamic


def _constant(graph: Graph, tensor: int) -> Array:
    values = graph.constant(tensor)
    return values if values.dtype == np.bool_ else values.astype(np.float64)


def _function(graph: Graph, operator: Operator) -> Callable[..., Array]:
    if operator.kind == "CAST":
        return lambda x: np.asarray(x, np.float64)
    if operator.kind == "GELU":
        return lambda x: gelu(x, bool(operator.options.approximate))
    if operator.kind == "LEAKY_RELU":
        return lambda x: np.where(x < 0, operator.options.alpha * x, x)
    return _FUNCTIONS[operator.kind]
