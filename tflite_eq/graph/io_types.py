"""Changing the element type of a quantized model's inputs and outputs."""

from __future__ import annotations

import copy

import numpy as np

from tflite_eq.config import IoType
from tflite_eq.graph import compact, schema
from tflite_eq.graph.model import Graph


def set_io_types(model: schema.ModelT, input_type: IoType, output_type: IoType) -> None:
    """Replace the float ends of an int8 model in place.

    ``INT8`` removes the QUANTIZE behind an input or the DEQUANTIZE before an output; ``UINT8``
    turns them into a requantization between uint8 and int8, whose zero points differ by 128.
    Ends that are not quantized (integer inputs, operators kept in float) stay as they are.
    """
    if input_type is not IoType.FLOAT32:
        _change(model, input_type, is_input=True)
    if output_type is not IoType.FLOAT32:
        _change(model, output_type, is_input=False)
    compact.drop_unused_tensors(model.subgraphs[0], model)


def _change(model: schema.ModelT, kind: IoType, is_input: bool) -> None:
    graph = Graph(model)
    subgraph = model.subgraphs[0]
    ends = graph.inputs if is_input else graph.outputs
    removed = set()
    for end in ends:
        found = _converter(graph, end, is_input)
        if found is None:
            continue
        position, inner = found
        if kind is IoType.INT8:
            subgraph.tensors[inner].name = subgraph.tensors[end].name
            removed.add(position)
            _redirect(model, end, inner, is_input)
        else:
            _make_uint8(model, position, end, inner)
    subgraph.operators = [o for i, o in enumerate(subgraph.operators) if i not in removed]


def _converter(graph: Graph, end: int, is_input: bool) -> tuple[int, int] | None:
    """Position of the QUANTIZE or DEQUANTIZE at a float end, and its int8 tensor."""
    if not graph.tensors[end].is_float:
        return None
    if is_input:
        consumers = graph.consumers(end)
        if len(consumers) != 1 or consumers[0].kind != "QUANTIZE":
            return None
        return consumers[0].index, consumers[0].outputs[0]
    producer = graph.producer(end)
    if producer is None or producer.kind != "DEQUANTIZE":
        return None
    return producer.index, producer.inputs[0]


def _redirect(model: schema.ModelT, end: int, inner: int, is_input: bool) -> None:
    subgraph = model.subgraphs[0]
    field = "inputs" if is_input else "outputs"
    setattr(subgraph, field, [inner if int(i) == end else int(i) for i in getattr(subgraph, field)])
    for definition in model.signatureDefs or []:
        for entry in getattr(definition, field) or []:
            if int(entry.tensorIndex) == end:
                entry.tensorIndex = inner


def _make_uint8(model: schema.ModelT, position: int, end: int, inner: int) -> None:
    generated = schema.schema()
    subgraph = model.subgraphs[0]
    stored = subgraph.tensors[inner].quantization
    outer = copy.copy(subgraph.tensors[end])
    outer.type = generated.TensorType.UINT8
    outer.quantization = generated.QuantizationParametersT()
    outer.quantization.scale = np.array(stored.scale, np.float32)
    outer.quantization.zeroPoint = np.array(stored.zeroPoint, np.int64) + 128
    subgraph.tensors[end] = outer
    operator = subgraph.operators[position]
    operator.opcodeIndex = _quantize_code(model)
    operator.builtinOptionsType = generated.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = generated.QuantizeOptionsT()


def _quantize_code(model: schema.ModelT) -> int:
    """Index of an operator code for int8/uint8 requantization (QUANTIZE version 2)."""
    generated = schema.schema()
    code = generated.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.QUANTIZE
    code.version = 2
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
