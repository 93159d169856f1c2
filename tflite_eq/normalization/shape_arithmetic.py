"""Shapes that a network computes from its tensors' shapes, found without running it.

Converters write ``reshape(x, [batch, -1, 4])`` as SHAPE, STRIDED_SLICE, PACK and RESHAPE where the
batch is open. Known sizes are numbers, open ones symbols; what comes out as a number, or as one
open size of a RESHAPE, is a constant. Runtimes then know all shapes before they run, and delegates
take what is behind.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


@dataclasses.dataclass(frozen=True)
class Size:
    """A number times open dimensions.

    Attributes:
        factor: The number.
        open: The dimensions, each by a tensor and the position in its shape, sorted.
    """

    factor: int
    open: tuple[tuple[int, int], ...] = ()


Sizes = npt.NDArray[Any]  # of Size, in the shape that the tensor has

_KEEP_FIRST_DIMENSION = frozenset(
    """
    ABS AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE ELU EXP GELU HARD_SWISH LEAKY_RELU
    LOGISTIC LOG_SOFTMAX L2_NORMALIZATION MAX_POOL_2D NEG RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SOFTMAX SPACE_TO_DEPTH SQRT SQUARE TANH
    """.split()
)
_SAME_SHAPE_IF_OTHERS_ARE_SCALARS = frozenset("ADD DIV MAXIMUM MINIMUM MUL PRELU SUB".split())


def folded(graph: Graph) -> tuple[Graph, str | None]:
    """The network with constants in place of what such operators compute."""
    found = _Sizes(graph)
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        if operator.kind == "RESHAPE" and len(operator.inputs) == 2:
            count += _fold_reshape(graph, rewrite, operator, found)
        elif len(operator.outputs) == 1 and operator.outputs[0] not in graph.outputs:
            count += _fold_known(graph, rewrite, operator, found)
    if not count:
        return graph, None
    result = without_dead_ends(rewrite.graph())
    removed = len(graph.operators) - len(result.operators)
    return result, f"{counted(removed, 'operator')} of shape arithmetic computed beforehand"


def _fold_known(graph: Graph, rewrite: Rewrite, operator: Operator, found: _Sizes) -> bool:
    """Make the result of an operator a constant if it is one."""
    (result,) = operator.outputs
    sizes = found.of(result)
    if sizes is None or any(size.open for size in sizes.flat):
        return False
    dtype = np.dtype(graph.tensors[result].type_name.lower())
    values = np.array([size.factor for size in sizes.flat], dtype).reshape(sizes.shape)
    rewrite.set_constant(result, values)
    rewrite.remove(operator)
    return True


def _fold_reshape(graph: Graph, rewrite: Rewrite, operator: Operator, found: _Sizes) -> bool:
    """Give a RESHAPE a constant shape, with -1 where one size is open."""
    source, wanted = operator.inputs
    if graph.tensors[wanted].is_constant:
        return False
    sizes = found.target(source, wanted)
    if sizes is None:
        return False
    target = [-1 if size.open else size.factor for size in sizes]
    if target.count(-1) > 1 or 0 in target:
        return False
    name = f"{graph.tensors[operator.outputs[0]].name}/shape"
    shape = rewrite.add_constant(name, np.array(target, np.int32))
    rewrite.connect(operator, [source, shape])
    result = operator.outputs[0]
    found_shape = graph.tensors[result].shape
    if len(found_shape) == len(target):
        rewrite.set_shape(result, found_shape, target if -1 in target else None)
    return True


class _Sizes:
    """What integer tensors hold that operators compute from shapes."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[int, Sizes] = {}
        for operator in graph.operators:
            rule = _RULES.get(operator.kind)
            if rule is None or len(operator.outputs) != 1:
                continue
            sizes = rule(self, operator)
            if sizes is not None:
                self._known[operator.outputs[0]] = sizes

    @property
    def graph(self) -> Graph:
        """The network."""
        return self._graph

    def of(self, tensor: int) -> Sizes | None:
        """Sizes that an operator has computed; None if they are not known."""
        return self._known.get(tensor)

    def read(self, tensor: int) -> Sizes | None:
        """The same for an operator's input, which may be a constant."""
        stored = self._graph.tensors[tensor]
        if tensor in self._known or not stored.is_constant:
            return self._known.get(tensor)
        if stored.type_name not in ("INT32", "INT64"):
            return None
        return _array([Size(int(v)) for v in self._graph.constant(tensor).flat], stored.shape)

    def shape(self, tensor: int) -> list[Size] | None:
        """Sizes of a tensor's dimensions; None if even their number is not known."""
        signature = self._graph.signature(tensor)
        if not signature:
            return None  # a scalar, or declared without any shape
        return [
            Size(size) if size >= 0 else Size(1, (self._origin(tensor, axis),))
            for axis, size in enumerate(signature)
        ]

    def target(self, source: int, wanted: int) -> list[Size] | None:
        """The shape that a tensor is given; None if it is not known."""
        sizes = self.read(wanted)
        whole = self.shape(source)
        if sizes is None or sizes.ndim != 1 or whole is None:
            return None
        target = list(sizes)
        missing = [i for i, size in enumerate(target) if size == Size(-1)]
        if len(missing) == 1:
            rest = _product([size for size in target if size != Size(-1)])
            size = _quotient(_product(whole), rest)
            if size is None:
                return None
            target[missing[0]] = size
        return target

    def _origin(self, tensor: int, axis: int) -> tuple[int, int]:
        """The first tensor that has the same open size there."""
        while axis == 0:
            producer = self._graph.producer(tensor)
            source = None if producer is None else self._same_batch(producer)
            if source is None:
                break
            tensor = source
        return tensor, axis

    def _same_batch(self, operator: Operator) -> int | None:
        """The one input of an operator that has the first dimension of its result, if one has."""
        graph = self._graph
        if operator.kind in _KEEP_FIRST_DIMENSION:
            source = operator.inputs[0]
        elif operator.kind in _SAME_SHAPE_IF_OTHERS_ARE_SCALARS:
            rank = len(graph.tensors[operator.outputs[0]].shape)
            sources = [i for i in operator.inputs if not graph.tensors[i].is_constant]
            constants = [graph.tensors[i] for i in operator.inputs if graph.tensors[i].is_constant]
            if len(sources) != 1 or any(
                len(constant.shape) >= rank and constant.shape[0] != 1 for constant in constants
            ):
                return None
            source = sources[0]
        elif operator.kind in ("PAD", "PADV2"):
            amounts = operator.inputs[1]
            if not graph.tensors[amounts].is_constant or graph.constant(amounts)[0].any():
                return None
            source = operator.inputs[0]
        else:
            return None
        signature = graph.signature(source)
        same_rank = len(signature) == len(graph.signature(operator.outputs[0]))
        return source if same_rank and signature[0] < 0 else None


def _shape(sizes: _Sizes, operator: Operator) -> Sizes | None:
    found = sizes.shape(operator.inputs[0])
    return None if found is None else _array(found, (len(found),))


def _strided_slice(sizes: _Sizes, operator: Operator) -> Sizes | None:
    source = sizes.read(operator.inputs[0])
    bounds = [_numbers(sizes.read(index)) for index in operator.inputs[1:4]]
    options = operator.options
    is_plain = options is not None and not (
        options.ellipsisMask or options.newAxisMask or getattr(options, "offset", False)
    )
    if source is None or source.ndim != 1 or not is_plain:
        return None
    begin, end, stride = bounds
    if begin is None or end is None or stride is None or len(begin) != 1 or stride[0] == 0:
        return None
    if options.shrinkAxisMask:
        position = begin[0] + (len(source) if begin[0] < 0 else 0)
        return _array([source[position]], ()) if 0 <= position < len(source) else None
    first = None if options.beginMask else begin[0]
    last = None if options.endMask else end[0]
    return source[first : last : stride[0]]


def _slice(sizes: _Sizes, operator: Operator) -> Sizes | None:
    source = sizes.read(operator.inputs[0])
    begin, length = (_numbers(sizes.read(index)) for index in operator.inputs[1:3])
    if source is None or source.ndim != 1 or not begin or not length:
        return None
    return source[begin[0] : None if length[0] < 0 else begin[0] + length[0]]


def _pack(sizes: _Sizes, operator: Operator) -> Sizes | None:
    parts = [sizes.read(index) for index in operator.inputs]
    if any(part is None or part.ndim for part in parts):
        return None
    return _array([part.item() for part in parts if part is not None], (len(parts),))


def _concatenation(sizes: _Sizes, operator: Operator) -> Sizes | None:
    parts = [sizes.read(index) for index in operator.inputs]
    if any(part is None or part.ndim != 1 for part in parts):
        return None
    values = [size for part in parts if part is not None for size in part]
    return _array(values, (len(values),))


def _gather(sizes: _Sizes, operator: Operator) -> Sizes | None:
    source, positions = sizes.read(operator.inputs[0]), sizes.read(operator.inputs[1])
    chosen = _numbers(positions)
    if source is None or source.ndim != 1 or positions is None or chosen is None:
        return None
    if any(not 0 <= position < len(source) for position in chosen):
        return None
    return _array([source[position] for position in chosen], positions.shape)


def _reshape(sizes: _Sizes, operator: Operator) -> Sizes | None:
    """A scalar from a list of one, or the other way round."""
    source = sizes.read(operator.inputs[0])
    shape = sizes.graph.signature(operator.outputs[0])
    if source is None or source.size != 1 or len(shape) > 1:
        return None
    return _array([source.flat[0]], shape)


def _same(sizes: _Sizes, operator: Operator) -> Sizes | None:
    is_whole = sizes.graph.tensors[operator.outputs[0]].type_name in ("INT32", "INT64")
    return sizes.read(operator.inputs[0]) if is_whole else None


def _product_of_all(sizes: _Sizes, operator: Operator) -> Sizes | None:
    source = sizes.read(operator.inputs[0])
    axes = _numbers(sizes.read(operator.inputs[1]))
    if source is None or source.ndim != 1 or axes not in ([0], [-1]):
        return None
    return _array([_product(list(source))], (1,) if operator.options.keepDims else ())


def _elementwise(
    combine: Callable[[Size, Size], Size | None],
) -> Callable[[_Sizes, Operator], Sizes | None]:
    def rule(sizes: _Sizes, operator: Operator) -> Sizes | None:
        parts = [sizes.read(index) for index in operator.inputs]
        left, right = parts if len(parts) == 2 else (None, None)
        if left is None or right is None or (left.shape != right.shape and left.ndim * right.ndim):
            return None
        shape = left.shape or right.shape
        pairs = zip(_spread(left, shape), _spread(right, shape))
        results = [combine(one, other) for one, other in pairs]
        return None if None in results else _array(results, shape)

    return rule


def _sum(one: Size, other: Size) -> Size | None:
    return Size(one.factor + other.factor, one.open) if one.open == other.open else None


def _difference(one: Size, other: Size) -> Size | None:
    return _sum(one, Size(-other.factor, other.open))


def _quotient(one: Size, other: Size) -> Size | None:
    """The quotient of sizes where it is a size again."""
    left = list(one.open)
    for dimension in other.open:
        if dimension not in left:
            return None
        left.remove(dimension)
    if not other.factor or one.factor % other.factor:
        return None
    return Size(one.factor // other.factor, tuple(left))


def _product(sizes: Sequence[Size]) -> Size:
    dimensions = sorted(dimension for size in sizes for dimension in size.open)
    return Size(math.prod(size.factor for size in sizes), tuple(dimensions))


_RULES: dict[str, Callable[[_Sizes, Operator], Sizes | None]] = {
    "ADD": _elementwise(_sum),
    "CAST": _same,
    "CONCATENATION": _concatenation,
    "DIV": _elementwise(_quotient),
    "EXPAND_DIMS": _reshape,
    "FLOOR_DIV": _elementwise(_quotient),
    "GATHER": _gather,
    "MUL": _elementwise(lambda one, other: _product([one, other])),
    "PACK": _pack,
    "REDUCE_PROD": _product_of_all,
    "RESHAPE": _reshape,
    "SHAPE": _shape,
    "SLICE": _slice,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _elementwise(_difference),
}


def _numbers(sizes: Sizes | None) -> list[int] | None:
    """Sizes as numbers, if all are known."""
    if sizes is None or any(size.open for size in sizes.flat):
        return None
    return [size.factor for size in sizes.flat]


def _array(sizes: Sequence[Any], shape: tuple[int, ...]) -> Sizes:
    made = np.empty(len(sizes), object)
    made[:] = sizes
    return made.reshape(shape)


def _spread(sizes: Sizes, shape: tuple[int, ...]) -> list[Size]:
    return list(sizes.flat) * (1 if sizes.ndim else math.prod(shape))
