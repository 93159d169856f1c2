"""LiteRT Quantizer through its public interface.

``calibration_result[tensor] = {"min", "max"}`` is honoured exactly. Its recipe must be the one for
8-bit weights and activations: with any other combination that its policy does not list, such as 7
bits, it returns the float model without a word. 7-bit tensors are 8-bit ones with wider ranges.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from litert_quantizer import qtyping, quantizer

from tests.oracles.stand_ins import put_back, read_shapes_from_codes, with_stand_ins
from tflite_eq.graph import schema
from tflite_eq.graph.compact import drop_unused_buffers, drop_unused_tensors
from tflite_eq.graph.model import Graph
from tflite_eq.graph.versions import set_int8_versions
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.quiet import quiet


def quantized_by_litert(
    graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
) -> bytes:
    """An int8 network with float ends; names of the float one are the beginnings of its names."""
    known = with_stand_ins(graph, keep_float)
    result = Graph.from_bytes(_quantized(known, params, keep_float), graph.origin)
    put_back(graph, result, keep_float)
    read_shapes_from_codes(result)
    _name_ends(graph, result)
    result = Graph(result.model, graph.origin)
    set_int8_versions(result)  # it leaves them as they were
    _drop_unused_codes(result.model)
    drop_unused_tensors(result.subgraph, result.model)
    drop_unused_buffers(result.model)
    return schema.serialize(result.model)


def _quantized(graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]) -> bytes:
    """What it makes of a network of operators it knows."""
    ranges = {graph.tensors[i].name: _range(p) for i, p in params.items()}
    with quiet():
        made = quantizer.Quantizer(bytearray(_serialized(graph)))
        _set_recipe(made, graph, keep_float)
        result = made.quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model)


def _set_recipe(made: Any, graph: Graph, keep_float: Set[int]) -> None:
    """Every operator it knows in int8, but for the ends and the operators to keep."""
    names = qtyping.TFLOperationName
    made.add_static_config(".*", names.ALL_SUPPORTED, 8, 8)
    left_alone = {"algorithm_key": "no_quantize"}
    for end in (names.INPUT, names.OUTPUT):
        made.update_quantization_recipe(".*", end, **left_alone)
    for index in sorted(keep_float):
        output = re.escape(graph.tensors[graph.operators[index].outputs[0]].name)
        made.update_quantization_recipe(f"(^|;){output}", names.ALL_SUPPORTED, **left_alone)


def _drop_unused_codes(model: schema.ModelT) -> None:
    """Remove operator codes that no operator has."""
    operators = model.subgraphs[0].operators
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[i] for i in used]


def _range(params: AffineParams) -> dict[str, Any]:
    """The real range of a tensor's codes, as a calibration result holds it."""
    low, high = params.real_range
    return {"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}


def _name_ends(graph: Graph, result: Graph) -> None:
    """Give the ends of the network the names that they have in the float one, in place.

    The quantizer leaves the name of an output to its codes; users look for the output.
    """
    tensors = result.subgraph.tensors
    for operator in result.operators:
        source, made = operator.inputs[0], operator.outputs[0]
        if operator.kind == "DEQUANTIZE" and made in result.outputs:
            name = graph.tensors[graph.outputs[result.outputs.index(made)]].name
            tensors[source].name, tensors[made].name = f"{name}1".encode(), name.encode()
        elif operator.kind == "QUANTIZE":
            tensors[made].name = f"{result.tensors[source].name}_int8".encode()


def _serialized(graph: Graph) -> bytes:
    """The network as the quantizer takes it: absent signatures are no empty list to it."""
    model = copy.copy(graph.model)
    model.signatureDefs = model.signatureDefs or []
    return schema.serialize(model)
