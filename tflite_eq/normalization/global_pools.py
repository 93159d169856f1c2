"""AVERAGE_POOL_2D of whole images, as MEAN.

Averages of many values are smaller than the largest of these. Both ends of an int8 AVERAGE_POOL_2D
share one scale, so that they fill a part of the codes; the result of a MEAN has a scale of its own.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted


def averaged(graph: Graph) -> tuple[Graph, str | None]:
    """The network with averages of whole images as MEAN."""
    rewrite = Rewrite(graph)
    pools = [operator for operator in graph.operators if _sees_all(graph, operator)]
    for pool in pools:
        name = f"{graph.tensors[pool.outputs[0]].name}/axes"
        axes = rewrite.add_constant(name, np.array([1, 2], np.int32))
        options = ("ReducerOptions", {"keepDims": True})
        rewrite.replace(pool, "MEAN", [pool.inputs[0], axes], options=options)
    if not pools:
        return graph, None
    return rewrite.graph(), f"{counted(len(pools), 'AVERAGE_POOL_2D')} of a whole image made MEAN"


def _sees_all(graph: Graph, operator: Operator) -> bool:
    if operator.kind != "AVERAGE_POOL_2D":
        return False
    image, result = (graph.signature(i) for i in (operator.inputs[0], operator.outputs[0]))
    options = operator.options
    window = [options.filterHeight, options.filterWidth]
    is_plain = options.fusedActivationFunction == 0
    return is_plain and window == list(image[1:3]) and list(result[1:3]) == [1, 1]
