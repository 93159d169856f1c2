"""Edits of float flatbuffers: filling in biases, renaming, cutting out parts."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import compact, properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.subgraphs import append_subgraphs, called, with_main


def add_constant(model: schema.ModelT, name: str, values: npt.NDArray[np.float32]) -> int:
    """Append a float32 constant to the main subgraph and return its tensor index."""
    generated = schema.schema()
    buffer = generated.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = generated.TensorT()
    tensor.name = name.encode()
    tensor.shape = np.array(values.shape, np.int32)
    tensor.type = generated.TensorType.FLOAT32
    tensor.buffer = len(model.buffers) - 1
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def independent(graph: Graph) -> Graph:
    """A copy whose constants can be replaced without changing the original."""
    model, subgraph = copy.copy(graph.model), copy.copy(graph.subgraph)
    model.buffers = list(model.buffers)
    model.subgraphs = [subgraph, *model.subgraphs[1:]]
    subgraph.tensors = [copy.copy(tensor) for tensor in subgraph.tensors]
    return Graph(model, graph.origin, graph.copies)


def replace_constant(graph: Graph, tensor: int, values: npt.NDArray[np.float32]) -> None:
    """Give a constant of an ``independent`` network other values, and their shape.

    Its buffer may be shared, so it gets one of its own.
    """
    buffers, stored = graph.model.buffers, graph.subgraph.tensors[tensor]
    buffer = schema.schema().BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    buffers.append(buffer)
    stored.shape = np.array(values.shape, np.int32)
    replaced, stored.buffer = stored.buffer, len(buffers) - 1
    tensors = (t for subgraph in graph.model.subgraphs for t in subgraph.tensors)
    if all(other.buffer != replaced for other in tensors):
        buffers[replaced] = schema.schema().BufferT()  # or every copy of the network would hold it


def with_biases(graph: Graph) -> Graph:
    """The same network in which every linear operator has a bias of its own.

    Bias correction needs one to write to; a missing bias becomes zeros.
    """
    model = graph.model
    changed = False
    for operator in graph.operators:
        if not properties.has_constant_filter(graph, operator):
            continue
        kind = properties.LinearKind(operator.kind)
        _, filters, bias = properties.linear_inputs(operator)
        if bias >= 0:
            continue
        channels = graph.tensors[filters].shape[properties.OUTPUT_CHANNEL_AXIS[kind]]
        output = graph.tensors[operator.outputs[0]].name
        index = add_constant(model, f"{output}/bias", np.zeros(channels, np.float32))
        stored = model.subgraphs[0].operators[operator.index]
        position = 3 if kind is properties.LinearKind.TRANSPOSE else 2
        stored.inputs = np.array([*operator.inputs[:position], index], np.int32)
        changed = True
    return Graph(model, graph.origin) if changed else graph


def without_dead_ends(graph: Graph) -> Graph:
    """The same network without operators that no output depends on.

    Runtimes end the process at some of them once they are quantized.
    """
    wanted, needed = set(graph.outputs), set()
    for operator in reversed(graph.operators):
        if wanted.intersection(operator.outputs):
            needed.add(operator.index)
            wanted.update(operator.inputs)
    if len(needed) == len(graph.operators):
        return graph
    stored = graph.subgraph.operators
    graph.subgraph.operators = [stored[index] for index in sorted(needed)]
    return Graph(graph.model, graph.origin)


def without_signatures(model: schema.ModelT) -> schema.ModelT:
    """A shallow copy of the model without signature definitions and metadata."""
    bare = copy.copy(model)
    bare.signatureDefs = None
    bare.metadata = None
    bare.metadataBuffer = None
    return bare


def with_all_tensors_as_outputs(graph: Graph) -> bytes:
    """The network with every computed tensor among its outputs, in tensor order.

    ``experimental_preserve_all_tensors`` would do the same but returns overwritten tensors on
    TensorFlow 2.14; outputs are never overwritten.
    """
    model = without_signatures(graph.model)
    subgraph = copy.copy(graph.subgraph)
    subgraph.outputs = np.array(computed_tensors(graph), np.int32)
    model.subgraphs = [subgraph, *model.subgraphs[1:]]
    return schema.serialize(model)


def with_outputs(graph: Graph, tensors: Sequence[int]) -> bytes:
    """The network with these tensors for its outputs, and everything else as it was."""
    model = without_signatures(graph.model)
    subgraph = copy.copy(graph.subgraph)
    subgraph.outputs = np.array(tensors, np.int32)
    model.subgraphs = [subgraph, *model.subgraphs[1:]]
    return schema.serialize(model)


def computed_tensors(graph: Graph) -> list[int]:
    """Indices of all tensors that some operator writes, in ascending order."""
    return sorted(i for operator in graph.operators for i in operator.outputs if i >= 0)


def most_values(graph: Graph, operators: Iterable[Operator]) -> int:
    """Values of the largest tensor that operators compute or are fed with, as the file has it."""
    read = {i for operator in operators for i in (*operator.inputs, *operator.outputs) if i >= 0}
    shapes = [graph.tensors[i].shape for i in read if not graph.tensors[i].is_constant]
    return max((math.prod(shape) for shape in shapes), default=0)


def single_operator_model(
    graph: Graph,
    operator: Operator,
    constants: dict[int, npt.NDArray[np.float32]] | None = None,
    drop_activation: bool = False,
) -> tuple[bytes, list[int]]:
    """A model that holds one operator of the graph.

    Args:
        graph: The network.
        operator: The operator to cut out.
        constants: Values that replace those of constant tensors, by tensor index.
        drop_activation: Remove the fused activation function.

    Returns:
        The flatbuffer, and the tensor indices (in ``graph``) of its inputs in order.
    """
    generated = schema.schema()
    constants = constants or {}
    model = generated.ModelT()
    model.version = graph.model.version
    empty = generated.BufferT()
    model.buffers = [empty]
    subgraph = generated.SubGraphT()
    subgraph.tensors = []
    position: dict[int, int] = {}

    def place(index: int) -> int:
        if index < 0:
            return -1
        if index not in position:
            tensor = copy.copy(graph.subgraph.tensors[index])
            if index in constants:
                buffer = generated.BufferT()
                buffer.data = np.frombuffer(
                    np.ascontiguousarray(constants[index], np.float32).tobytes(), np.uint8
                )
                model.buffers.append(buffer)
                tensor.buffer = len(model.buffers) - 1
            elif graph.tensors[index].is_constant:
                model.buffers.append(graph.model.buffers[tensor.buffer])
                tensor.buffer = len(model.buffers) - 1
            else:
                tensor.buffer = 0
            position[index] = len(subgraph.tensors)
            subgraph.tensors.append(tensor)
        return position[index]

    stored = copy.copy(graph.subgraph.operators[operator.index])
    stored.inputs = np.array([place(i) for i in operator.inputs], np.int32)
    stored.outputs = np.array([place(i) for i in operator.outputs], np.int32)
    stored.intermediates = None
    if drop_activation and stored.builtinOptions is not None:
        stored.builtinOptions = copy.copy(stored.builtinOptions)
        stored.builtinOptions.fusedActivationFunction = generated.ActivationFunctionType.NONE
    model.operatorCodes = [graph.model.operatorCodes[stored.opcodeIndex]]
    stored.opcodeIndex = 0
    subgraph.operators = [stored]
    feeds = variable_inputs(graph, operator)
    subgraph.inputs = np.array([position[i] for i in feeds], np.int32)
    subgraph.outputs = np.array([position[i] for i in operator.outputs], np.int32)
    model.subgraphs = [subgraph]
    if called(subgraph):
        append_subgraphs(model, graph.model)
        model = with_main(model, 0)
        compact.drop_unused_codes(model)
        compact.drop_unused_buffers(model)
    return schema.serialize(model), feeds


def variable_inputs(graph: Graph, operator: Operator) -> list[int]:
    """The distinct inputs of an operator that are not constants, in order."""
    feeds: list[Any] = []
    for index in operator.inputs:
        if index >= 0 and not graph.tensors[index].is_constant and index not in feeds:
            feeds.append(index)
    return feeds
