"""Operators that LiteRT Quantizer does not know, seen by it as ones that it does.

It leaves operators outside its list in float, among them LEAKY_RELU, RELU6 and SQUEEZE, though
TFLite has int8 kernels for them. What a backend has to decide about an operator, which of its
tensors become codes and under which scales, depends on little more than whether it passes codes on
unchanged. So each is replaced by a known operator of its sort while the quantizer looks, and put
back afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Set

import numpy as np

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator

# One activation in, one of the same shape out, each with a scale of its own.
_ELEMENTWISE = frozenset(
    """
    ABS ELU EXP L2_NORMALIZATION LEAKY_RELU LOG LOG_SOFTMAX RELU6 RELU_0_TO_1 RELU_N1_TO_1
    """.split()
)

# One activation in, the same values out in another shape or order, under the same scale.
_REORDERING = frozenset(
    """
    BATCH_TO_SPACE_ND DEPTH_TO_SPACE EXPAND_DIMS REVERSE_V2 SPACE_TO_BATCH_ND SQUEEZE
    """.split()
)

# Operators that differ from a known one in the kernel alone.
_SIBLINGS = {"MINIMUM": "MAXIMUM", "REDUCE_MAX": "REDUCE_MIN"}


def with_stand_ins(graph: Graph, keep_float: Set[int]) -> Graph:
    """The network with unknown operators replaced.

    Args:
        graph: The float network; it is left as it is.
        keep_float: Indices of operators to leave alone.
    """
    generated = schema.schema()
    model = copy.copy(graph.model)
    model.operatorCodes = list(model.operatorCodes)
    subgraph = copy.copy(graph.subgraph)
    subgraph.operators = list(subgraph.operators)
    model.subgraphs = [subgraph]
    for operator in graph.operators:
        known = _stand_in(graph, operator)
        if known is None or operator.index in keep_float:
            continue
        stored = copy.copy(subgraph.operators[operator.index])
        stored.opcodeIndex = _add_code(model, known)
        if operator.kind not in _SIBLINGS:
            stored.inputs = np.array(operator.inputs[:1], np.int32)
            stored.builtinOptionsType = generated.BuiltinOptions.NONE
            stored.builtinOptions = None
        if known == "RESHAPE":
            stored.builtinOptionsType = generated.BuiltinOptions.ReshapeOptions
            stored.builtinOptions = generated.ReshapeOptionsT()
            shape = graph.tensors[operator.outputs[0]].shape
            stored.builtinOptions.newShape = np.array(shape, np.int32)
        subgraph.operators[operator.index] = stored
    return Graph(model, graph.origin)


def put_back(graph: Graph, result: Graph, keep_float: Set[int]) -> None:
    """Undo ``with_stand_ins`` in the quantized network, in place.

    Tensor names identify tensors in both; the quantizer keeps those of what operators write.
    """
    indices = {tensor.name: tensor.index for tensor in result.tensors}
    writers = {result.tensors[o.outputs[0]].name: o for o in result.operators if o.outputs}
    for operator in graph.operators:
        if _stand_in(graph, operator) is None or operator.index in keep_float:
            continue
        found = writers[graph.tensors[operator.outputs[0]].name]
        original = graph.subgraph.operators[operator.index]
        stored = result.subgraph.operators[found.index]
        stored.opcodeIndex = _add_code(result.model, operator.kind)
        stored.builtinOptionsType = original.builtinOptionsType
        stored.builtinOptions = original.builtinOptions
        others = operator.inputs[len(found.inputs) :]
        absent = {-1: -1}
        stored.inputs = [
            *found.inputs,
            *(absent.get(i, indices[graph.tensors[i].name]) for i in others),
        ]


def read_shapes_from_codes(result: Graph) -> None:
    """Have SHAPE, which takes any type, read codes instead of what they are dequantized to."""
    for operator in result.operators:
        if operator.kind != "SHAPE":
            continue
        source = result.producer(operator.inputs[0])
        if source is None or source.kind != "DEQUANTIZE":
            continue
        result.subgraph.operators[operator.index].inputs = [source.inputs[0]]
    left = Graph(result.model, result.origin)
    result.subgraph.operators = [
        stored
        for stored, operator in zip(result.subgraph.operators, left.operators)
        if operator.kind != "DEQUANTIZE"
        or left.consumers(operator.outputs[0])
        or operator.outputs[0] in left.outputs
    ]


def _stand_in(graph: Graph, operator: Operator) -> str | None:
    """The known operator that takes an unknown one's place, ``None`` if none can."""
    if operator.kind in _SIBLINGS:
        return _SIBLINGS[operator.kind]
    if not (operator.inputs and operator.outputs):
        return None
    source, made = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if not source.is_float or source.is_constant:
        return None
    if operator.kind in _ELEMENTWISE and source.shape == made.shape:
        return "RELU"
    # Padding and cropping change the number of values, which no RESHAPE does.
    if operator.kind in _REORDERING and np.prod(source.shape) == np.prod(made.shape):
        return "RESHAPE"
    return None


def _add_code(model: schema.ModelT, kind: str) -> int:
    """Index of an operator code for a builtin operator."""
    generated = schema.schema()
    code = generated.OperatorCodeT()
    number = getattr(generated.BuiltinOperator, kind)
    code.builtinCode = number
    code.deprecatedBuiltinCode = min(number, 127)
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
