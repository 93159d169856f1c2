"""RELU, RELU6 and RELU_N1_TO_1 as operators of their own behind one that can do it itself.

In int8 the operator in front then spends its codes on values that are kept. TRANSPOSE_CONV is no
such operator here: it fuses activation functions from runtime 2.13 on, and what ran on older ones
still shall. CONCATENATION's kernels take no fused activation function.
"""

from __future__ import annotations

from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# Their float and int8 kernels both clamp; DIV and L2_POOL_2D stay in float.
_FUSING = frozenset(
    """
    ADD AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D DIV FULLY_CONNECTED L2_POOL_2D MAX_POOL_2D MUL SUB
    """.split()
)

# What one of the fused functions is behind another.
_BEHIND = {
    ("NONE", "RELU"): "RELU",
    ("NONE", "RELU6"): "RELU6",
    ("NONE", "RELU_N1_TO_1"): "RELU_N1_TO_1",
    ("RELU", "RELU"): "RELU",
    ("RELU", "RELU6"): "RELU6",
    ("RELU6", "RELU"): "RELU6",
    ("RELU6", "RELU6"): "RELU6",
    ("RELU_N1_TO_1", "RELU_N1_TO_1"): "RELU_N1_TO_1",
}


def fused(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these operators taken into those in front, where nothing else reads them."""
    count = 0
    while True:
        rewrite = Rewrite(graph)
        found = [o for o in graph.operators if _fuse(graph, rewrite, o)]
        if not found:
            break
        count += len(found)
        graph = rewrite.graph()
    if not count:
        return graph, None
    return graph, f"{counted(count, 'activation function')} fused into the operator in front"


def _fuse(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    if operator.kind not in ("RELU", "RELU6", "RELU_N1_TO_1"):
        return False
    (source,) = operator.inputs
    layer = graph.producer(source)
    if layer is None or layer.kind not in _FUSING or layer.options is None:
        return False
    if source in graph.outputs or len(graph.consumers(source)) > 1:
        return False
    together = _BEHIND.get((properties.fused_activation(layer), operator.kind))
    if together is None:
        return False
    code = getattr(schema.schema().ActivationFunctionType, together)
    rewrite.set_options(layer, fusedActivationFunction=code)
    rewrite.connect(layer, outputs=operator.outputs)
    rewrite.remove(operator)
    return True
