"""Which operators of a network can compute on codes, and which have to stay in float."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set

from tflite_eq.graph import properties
from tflite_eq.graph.masks import mask_operators
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.graph.properties import LinearKind
from tflite_eq.numerics.affine import AffineParams

# From this rank on, kernels of TensorFlow up to 2.19 end the process where they have to broadcast.
_LARGEST_BROADCAST = {"MAXIMUM": 5, "MINIMUM": 5, "PRELU": 4}

# Kernels round the product after every factor; up to so many they came to within a code.
_MOST_FACTORS = 16

_REDUCERS = frozenset("MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM".split())

# They look at a tensor's shape and take it in whatever type it has.
SHAPE_READERS = frozenset({"RANK", "SHAPE"})


def int8_operators(
    graph: Graph, skipped: Set[int], scaled: Set[int], recorded: Set[int]
) -> frozenset[int]:
    """Indices of the operators that have an int8 form here.

    Args:
        graph: The float network.
        skipped: Operators to leave in float.
        scaled: Tensors with a scale and zero point.
        recorded: Linear layers with a record.
    """
    return frozenset(
        operator.index
        for operator in graph.operators
        if operator.index not in skipped and _computes_on_codes(graph, operator, scaled, recorded)
    )


def without_int8_form(graph: Graph) -> frozenset[int]:
    """Indices of the operators that compute with real values and have no int8 form at all.

    Those of masks have kernels for codes, but no scale holds what stands for minus infinity.
    """
    scaled = {tensor.index for tensor in graph.tensors if tensor.is_float}
    layers = {o.index for o in graph.operators if properties.has_constant_filter(graph, o)}
    possible = int8_operators(graph, frozenset(), scaled, layers)
    return mask_operators(graph) | frozenset(
        operator.index
        for operator in graph.operators
        if operator.index not in possible
        and operator.kind not in SHAPE_READERS
        and any(i >= 0 and graph.tensors[i].is_float for i in (*operator.inputs, *operator.outputs))
    )


def lacking(graph: Graph, operator: Operator) -> str | None:
    """What keeps an operator in float although its kind has an int8 kernel; None for nothing.

    Every form here was tried on tflite-runtime 2.14, TensorFlow 2.19 and LiteRT 2.3. Where one of
    them computes in float what it refuses in int8, or gets wrong, the operator stays in float.
    """
    shapes = [graph.tensors[index].shape for index in operator.inputs if index >= 0]
    limit = _LARGEST_BROADCAST.get(operator.kind)
    rank = max(map(len, shapes), default=0)
    if limit is not None and rank > limit and len(set(shapes)) > 1:
        return f"{operator.kind} broadcasts codes of no more than {limit} dimensions"
    if operator.kind in _REDUCERS:
        factors = _reduced(graph, operator)
        if factors == 0:
            return f"{operator.kind} of nothing has results that no code stands for"
        if operator.kind == "REDUCE_PROD" and factors == 1:
            return "REDUCE_PROD over axes of size 1 hands codes on under another scale"
        if operator.kind == "REDUCE_PROD" and factors > _MOST_FACTORS:
            return f"REDUCE_PROD of more than {_MOST_FACTORS} values is inexact on codes"
    return None


def shared_params(operator: Operator, params: Mapping[int, AffineParams]) -> AffineParams | None:
    """What an operator that passes codes on needs all its tensors to have; None for any other.

    Args:
        operator: An operator that computes on codes.
        params: Scale and zero point by tensor; those of the first result hold.
    """
    if INT8_KERNELS[operator.kind].scales is not Scales.SHARED:
        return None
    return next(params[index] for index in operator.outputs if index in params)


def _computes_on_codes(
    graph: Graph, operator: Operator, scaled: Set[int], recorded: Set[int]
) -> bool:
    if properties.reads_raw_input(graph, operator):
        return operator.outputs[0] in scaled
    kernel = INT8_KERNELS.get(operator.kind)
    read = [i for i in operator.inputs if i >= 0 and graph.tensors[i].is_float]
    made = [i for i in operator.outputs if graph.tensors[i].is_float]
    if kernel is None or not read or (kernel.scales is not Scales.NONE and not made):
        return False
    if lacking(graph, operator) is not None:
        return False
    if properties.linear_kind(operator) is not None:
        if properties.has_constant_filter(graph, operator):
            if operator.index not in recorded:
                return False
        elif operator.kind != LinearKind.DENSE.value:
            return False  # these kernels take zero for the filter's zero point
        bias = properties.linear_inputs(operator)[2]
        read = [index for index in read if index != bias]
        if bias >= 0 and not graph.tensors[bias].is_constant:
            return False
    return all(graph.tensors[i].is_constant or i in scaled for i in (*read, *made))


def _reduced(graph: Graph, operator: Operator) -> int:
    """How many values of the input a reduction makes one result of, as far as is known."""
    read, made = (
        math.prod(graph.tensors[i].shape) for i in (operator.inputs[0], operator.outputs[0])
    )
    return read // max(made, 1)
