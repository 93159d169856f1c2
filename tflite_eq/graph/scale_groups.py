"""Tensors that must share one scale and zero point, and who reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import numpy as np

from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import AffineParams


@dataclasses.dataclass
class ScaleGroup:
    """Activation tensors joined by operators that keep codes as they are.

    Attributes:
        tensors: Tensor indices in ascending order.
        readers: Linear layers whose activation input is in the group, in execution order.
        inside: Operators that compute tensors of the group from others of it, in execution order.
        needs_zero_point_0: Whether a kernel inside the group takes code 0 for the real 0.
        fixed: Parameters that the int8 specification prescribes, if it does.
        writers: Operators outside the group that write its tensors, and ``None`` for whatever else
            does: an input of the network, an operator that stays in float.
        constants: Smallest and largest value of constants that take on the group's scale.
    """

    tensors: tuple[int, ...]
    readers: tuple[LinearLayer, ...]
    inside: tuple[Operator, ...]
    needs_zero_point_0: bool
    fixed: AffineParams | None
    writers: tuple[Operator | None, ...]
    constants: tuple[float, float]

    @property
    def averages(self) -> tuple[Operator, ...]:
        """Operators inside the group that compute means of its values, in execution order."""
        return tuple(o for o in self.inside if o.kind in properties.AVERAGING)


def scale_groups(
    graph: Graph, layers: dict[int, LinearLayer], skipped: Set[int]
) -> dict[int, ScaleGroup]:
    """The scale group of every float activation tensor that will be quantized.

    Args:
        graph: The float network.
        layers: Its linear layers by operator index.
        skipped: Indices of operators that stay in float.

    Returns:
        Groups by tensor index; members of a group share one object. Tensors that only skipped
        operators touch are absent: they stay in float.
    """
    quantized = _quantized_tensors(graph, skipped)
    parent = {index: index for index in quantized}

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for operator in graph.operators:
        if shares_scale(operator) and operator.index not in skipped:
            members = [i for i in (*operator.inputs, *operator.outputs) if i in parent]
            for other in members[1:]:
                parent[find(other)] = find(members[0])

    members_of: dict[int, list[int]] = {}
    for index in sorted(quantized):
        members_of.setdefault(find(index), []).append(index)
    groups: dict[int, ScaleGroup] = {}
    for tensors in members_of.values():
        group = _group(graph, layers, skipped, tuple(tensors))
        groups.update(dict.fromkeys(tensors, group))
    return groups


def shares_scale(operator: Operator) -> bool:
    """Whether the operator's int8 kernel passes codes on unchanged in meaning."""
    return operator.kind in properties.SAME_SCALE


def _quantized_tensors(graph: Graph, skipped: Set[int]) -> set[int]:
    found: set[int] = set()
    for operator in graph.operators:
        if operator.index in skipped:
            continue
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and graph.tensors[index].is_float:
                found.add(index)
    return {index for index in found if not graph.tensors[index].is_constant}


def _group(
    graph: Graph, layers: dict[int, LinearLayer], skipped: Set[int], tensors: tuple[int, ...]
) -> ScaleGroup:
    members = set(tensors)
    readers = []
    fixed = None
    writers: list[Operator | None] = []
    inside: list[Operator] = []
    needs_zero_point_0 = False
    low = high = 0.0
    for operator in graph.operators:
        layer = layers.get(operator.index)
        is_skipped = operator.index in skipped
        if layer is not None and layer.input in members and not is_skipped:
            readers.append(layer)
        if not members.intersection(operator.outputs):
            continue
        if shares_scale(operator) and not is_skipped:
            inside.append(operator)
            if operator.kind in properties.FILLS_WITH_CODE_ZERO:
                needs_zero_point_0 = True
            for index in operator.inputs:
                if (
                    index >= 0
                    and graph.tensors[index].is_constant
                    and graph.tensors[index].is_float
                ):
                    values = graph.constant(index)
                    low = min(low, float(np.min(values, initial=0.0)))
                    high = max(high, float(np.max(values, initial=0.0)))
        else:
            writers.append(None if is_skipped else operator)
            fixed = fixed or (None if is_skipped else properties.fixed_output(operator))
    if members.intersection(graph.inputs):
        writers.append(None)
    return ScaleGroup(
        tensors,
        tuple(readers),
        tuple(inside),
        needs_zero_point_0,
        fixed,
        tuple(writers),
        (low, high),
    )
