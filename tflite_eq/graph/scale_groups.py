"""Tensors that must share one scale and zero point, and who reads them.

Operators that pass codes on join their tensors. What a kernel with a fixed scale writes joins in
only where that scale serves all: a sigmoid concatenated with anything wider would clamp that to
[0, 1]. Such an operand stays apart and is requantized on its way.
"""

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
        writers: Operators outside the group that write its tensors or what is requantized into
            them, and ``None`` for whatever else does: an input of the network, an operator that
            stays in float.
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

    fixed = _fixed_results(graph, skipped)
    for operator in graph.operators:
        if shares_scale(operator) and operator.index not in skipped:
            joined = _joined(graph, operator, parent.keys(), fixed)
            for other in joined[1:]:
                parent[find(other)] = find(joined[0])

    members_of: dict[int, list[int]] = {}
    for index in sorted(quantized):
        members_of.setdefault(find(index), []).append(index)
    groups: dict[int, ScaleGroup] = {}
    for tensors in members_of.values():
        group = _group(graph, layers, skipped, quantized, tuple(tensors))
        groups.update(dict.fromkeys(tensors, group))
    return groups


def shares_scale(operator: Operator) -> bool:
    """Whether the operator's int8 kernel passes codes on unchanged in meaning."""
    return operator.kind in properties.SAME_SCALE


def _fixed_results(graph: Graph, skipped: Set[int]) -> dict[int, AffineParams]:
    """Parameters of the tensors that kernels with a fixed scale write."""
    found = {}
    for operator in graph.operators:
        params = properties.fixed_output(graph, operator)
        if params is not None and operator.index not in skipped:
            found.update(dict.fromkeys(operator.outputs, params))
    return found


def _joined(
    graph: Graph, operator: Operator, quantized: Set[int], fixed: dict[int, AffineParams]
) -> list[int]:
    """Tensors of an operator that passes codes on which are to share their scale.

    Operators are asked in execution order; ``fixed`` receives results that take on a fixed scale.
    """
    read = [index for index in operator.inputs if index in quantized]
    made = [index for index in operator.outputs if index in quantized]
    scales = {fixed.get(index) for index in read}
    if scales == {None}:
        return [*read, *made]
    only = scales.pop() if len(scales) == 1 else None
    if only is None or not _serves(graph, operator, only):
        return [*(index for index in read if index not in fixed), *made]
    fixed.update(dict.fromkeys(made, only))
    return [*read, *made]


def _serves(graph: Graph, operator: Operator, params: AffineParams) -> bool:
    """Whether a scale has codes for an operator's constants and for what its kernel fills in."""
    if operator.kind in properties.FILLS_WITH_CODE_ZERO and params.zero_point != 0:
        return False
    low, high = params.real_range
    least, largest = _constant_range(graph, operator)
    return low - params.scale / 2 <= least and largest <= high + params.scale / 2


def _constant_range(graph: Graph, operator: Operator) -> tuple[float, float]:
    """Smallest and largest value of an operator's constants and 0 that the scale has to hold."""
    low = high = 0.0
    for index in operator.inputs:
        if index >= 0 and graph.tensors[index].is_constant and graph.tensors[index].is_float:
            values = graph.constant(index)
            low = min(low, float(np.min(values, initial=0.0)))
            high = max(high, float(np.max(values, initial=0.0)))
    # The last code is as good as whatever lies beyond all codes and loses against them.
    return (
        0.0 if operator.kind in properties.LOSES_BELOW else low,
        0.0 if operator.kind in properties.LOSES_ABOVE else high,
    )


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
    graph: Graph,
    layers: dict[int, LinearLayer],
    skipped: Set[int],
    quantized: Set[int],
    tensors: tuple[int, ...],
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
            least, largest = _constant_range(graph, operator)
            low, high = min(low, least), max(high, largest)
            for index in operator.inputs:
                is_apart = index in quantized and index not in members
                if is_apart:
                    writers.append(graph.producer(index))
        else:
            writers.append(None if is_skipped else operator)
            fixed = fixed or (None if is_skipped else properties.fixed_output(graph, operator))
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
