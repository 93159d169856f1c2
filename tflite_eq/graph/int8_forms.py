"""Which operators of a network can compute on codes, and which have to stay in float."""

from __future__ import annotations

from collections.abc import Mapping, Set

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.graph.properties import LinearKind
from tflite_eq.numerics.affine import AffineParams

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
    """Indices of the operators that compute with real values and have no int8 form at all."""
    scaled = {tensor.index for tensor in graph.tensors if tensor.is_float}
    layers = {o.index for o in graph.operators if properties.has_constant_filter(graph, o)}
    possible = int8_operators(graph, frozenset(), scaled, layers)
    return frozenset(
        operator.index
        for operator in graph.operators
        if operator.index not in possible
        and operator.kind not in SHAPE_READERS
        and any(i >= 0 and graph.tensors[i].is_float for i in (*operator.inputs, *operator.outputs))
    )


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
