"""Integer codes of constants on their way to what computes with them.

Converters that store weights as int8 codes in a float network let embeddings be looked up among the
codes, and turn the rows that were found into real values. Such tensors have scales, but nothing in
the network is quantized but its constants.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import PICKS

# Their results are values of their first operand, wherever they come from.
_MOVERS = PICKS | {"GATHER", "GATHER_ND"}


def moved_codes(graph: Graph) -> frozenset[int]:
    """The computed tensors with codes of a constant that are read as real values in the end."""
    found: set[int] = set()
    for operator in graph.operators:
        if operator.kind not in _MOVERS or len(operator.outputs) != 1:
            continue
        source, result = operator.inputs[0], operator.outputs[0]
        is_code = source in found or graph.tensors[source].is_constant
        if is_code and _have_one_scale(graph, source, result):
            found.add(result)
    while True:
        kept = {index for index in found if _ends_in_reals(graph, index, found)}
        # What is moved on to where codes are computed with was no constant's after all.
        if kept == found:
            return frozenset(found)
        found = kept


def _have_one_scale(graph: Graph, one: int, other: int) -> bool:
    if graph.tensors[one].type_name != graph.tensors[other].type_name:
        return False
    stored = [graph.subgraph.tensors[index].quantization for index in (one, other)]
    if any(q is None or q.scale is None or len(q.scale) != 1 for q in stored):
        return False
    zero_points = [0 if q.zeroPoint is None else int(np.sum(q.zeroPoint)) for q in stored]
    return bool(stored[0].scale[0] == stored[1].scale[0]) and zero_points[0] == zero_points[1]


def _ends_in_reals(graph: Graph, tensor: int, moved: set[int]) -> bool:
    def takes(reader: Operator) -> bool:
        return reader.kind == "DEQUANTIZE" or reader.outputs[0] in moved

    return tensor not in graph.outputs and all(takes(r) for r in graph.consumers(tensor))
