"""A record's scales, weights and biases put into the graph that another quantizer lays out.

Tensors are found again by their names, which are made unique for that.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Set
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from tflite_eq import Calibration
from tflite_eq.graph import properties, schema
from tflite_eq.graph.compact import drop_unused_buffers
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.record.filters import recorded_filters
from tflite_eq.record.record import LayerRecord

# Network, parameters by tensor, operators to keep in float -> an int8 network.
Layout = Callable[[Graph, Mapping[int, AffineParams], Set[int]], bytes]

# Scales of the result that differ by less come from rounding (max - min) / 255.
_SCALE_NOISE = 1e-5

# A tensor as ``_with_unique_names`` calls it; names of an operator with several results come back
# joined, as ``t7;;t8;``, with a number behind them from the second result on.
_UNIQUE_NAMES = re.compile(r"^(t\d+;(?:;t\d+;)*)(.*)$", re.DOTALL)

Origins = dict[int, "tuple[int, str] | None"]


def write(
    graph: Graph,
    layers: dict[int, LinearLayer],
    calibration: Calibration,
    skipped: Set[int],
    layout: Layout,
) -> schema.ModelT:
    """The int8 network, without signatures.

    Raises:
        AssertionError: The quantizer has left a layer in float, or imposes other scales.
    """
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    unique = _with_unused_as_outputs(_with_unique_names(graph))
    result = Graph.from_bytes(layout(unique, params, skipped), graph.origin)
    result = _without_added_outputs(result, len(graph.outputs))
    origins = _origins(result)
    editor = _Editor(graph, layers, result, params, origins)
    editor.settle_activations()
    for record in calibration.layers:
        if record.index not in skipped:
            editor.write_layer(record)
    editor.restore_names()
    drop_unused_buffers(result.model)
    return result.model


class _Editor:
    """Edits one result in place."""

    def __init__(
        self,
        graph: Graph,
        layers: dict[int, LinearLayer],
        result: Graph,
        params: dict[int, AffineParams],
        origins: Origins,
    ) -> None:
        self._graph = graph
        self._layers = layers
        self._result = result
        self._params = params
        self._origins = origins
        self._subgraph = result.subgraph
        self._written: dict[int, tuple[bytes, bytes]] = {}

    def settle_activations(self) -> None:
        """Take rounding noise out of scales."""
        for index, origin in self._origins.items():
            tensor = self._result.tensors[index]
            if tensor.type_name != "INT8" or tensor.is_constant:
                continue
            if origin is None or origin[0] not in self._params:
                continue
            planned = self._params[origin[0]]
            stored = self._subgraph.tensors[index].quantization
            name = self._graph.tensors[origin[0]].name
            assert abs(float(stored.scale[0]) / planned.scale - 1) < _SCALE_NOISE, name
            assert int(stored.zeroPoint[0]) == planned.zero_point, name
            stored.scale = np.array([planned.scale], np.float32)

    def write_layer(self, record: LayerRecord) -> None:
        """Overwrite filter and bias of one linear layer."""
        layer = self._layers[record.index]
        operator = self._matching(layer)
        activation, filter_index, bias_index = properties.linear_inputs(operator)
        input_scale = float(self._subgraph.tensors[activation].quantization.scale[0])
        filters = recorded_filters(layer, record)
        bias = layer.bias_values
        if record.bias_correction:
            bias = bias + np.asarray(record.bias_correction, np.float32)
        scales = filters.scales * np.float32(record.gain)
        bias_codes, bias_scales = weights.quantize_bias(bias, input_scale, scales)
        axis = properties.OUTPUT_CHANNEL_AXIS[layer.kind]
        stored = slice(len(record.scales))  # all of one scale per tensor are the same
        codes = layer.stored_filters(filters.codes)
        self._put(operator, filter_index, codes, scales[stored], axis)
        self._put(operator, bias_index, bias_codes, bias_scales[stored], 0)

    def restore_names(self) -> None:
        """Give tensors the names they had in the float model."""
        for index, origin in self._origins.items():
            if origin is not None:
                name = self._graph.tensors[origin[0]].name + origin[1]
                self._subgraph.tensors[index].name = name.encode()

    def _matching(self, layer: LinearLayer) -> Operator:
        """The result's operator for a float layer."""
        found = [
            operator
            for operator in self._result.operators
            if operator.kind == layer.kind.value
            and (self._origins[operator.outputs[0]] or (None,))[0] == layer.output
            and self._result.tensors[operator.outputs[0]].type_name == "INT8"
        ]
        assert len(found) == 1, f"layer '{layer.name}' was left in float"
        return found[0]

    def _put(
        self,
        operator: Operator,
        index: int,
        codes: npt.NDArray[Any],
        scales: npt.NDArray[np.float32],
        axis: int,
    ) -> None:
        """Write a constant; a tensor that another layer wrote differently is duplicated."""
        content = (codes.tobytes(), scales.tobytes())
        tensors = self._subgraph.tensors
        if self._written.get(index, content) != content:
            tensors.append(copy.copy(tensors[index]))
            stored = self._subgraph.operators[operator.index]
            new = len(tensors) - 1
            stored.inputs = [new if int(i) == index else int(i) for i in stored.inputs]
            index = new
        self._written[index] = content
        generated = schema.schema()
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(content[0], np.uint8)
        self._result.model.buffers.append(buffer)
        tensors[index].buffer = len(self._result.model.buffers) - 1
        quantization = generated.QuantizationParametersT()
        quantization.scale = scales.astype(np.float32)
        quantization.zeroPoint = np.zeros(len(scales), np.int64)
        quantization.quantizedDimension = axis
        tensors[index].quantization = quantization


def _with_unique_names(graph: Graph) -> Graph:
    """The network with tensor names that identify tensors: names in files need not be unique."""
    model = copy.copy(graph.model)
    subgraph = copy.copy(graph.subgraph)
    subgraph.tensors = [copy.copy(t) for t in subgraph.tensors]
    for index, tensor in enumerate(subgraph.tensors):
        tensor.name = f"t{index};".encode()
    model.subgraphs = [subgraph]
    model.signatureDefs = None
    return Graph(model, graph.origin)


def _with_unused_as_outputs(graph: Graph) -> Graph:
    """The network with results that nothing reads as further outputs.

    MLIR quantizes an operator with several results only if all of them are used, or leaves it in
    float, as the addresses of its objects happen to fall.
    """
    unused = [
        index
        for operator in graph.operators
        for index in operator.outputs
        if graph.tensors[index].is_float
        and not graph.consumers(index)
        and index not in graph.outputs
    ]
    graph.subgraph.outputs = [*graph.outputs, *unused]
    return Graph(graph.model, graph.origin)


def _without_added_outputs(result: Graph, count: int) -> Graph:
    """The result with its first ``count`` outputs only."""
    added = set(result.outputs[count:])
    subgraph = result.subgraph
    subgraph.outputs = list(result.outputs[:count])
    subgraph.operators = [
        stored
        for stored, operator in zip(subgraph.operators, result.operators)
        if not (operator.kind == "DEQUANTIZE" and added.issuperset(operator.outputs))
    ]
    return Graph(result.model, result.origin)


def _origins(result: Graph) -> Origins:
    """Index in the float model and suffix that the quantizer added, by tensor of the result."""
    origins: Origins = {}
    for tensor in result.tensors:
        match = _UNIQUE_NAMES.match(tensor.name)
        if match is None:
            origins[tensor.index] = None
            continue
        sources = [int(number) for number in re.findall(r"\d+", match.group(1))]
        producer = result.producer(tensor.index)
        if producer is not None and len(sources) > 1 and len(producer.outputs) == len(sources):
            origins[tensor.index] = sources[producer.outputs.index(tensor.index)], ""
        else:
            origins[tensor.index] = sources[0], match.group(2)
    # What a QUANTIZE operator makes of a tensor is that tensor, whatever its name.
    for operator in result.operators:
        if operator.kind == "QUANTIZE":
            source = origins[operator.inputs[0]]
            present = origins[operator.outputs[0]]
            if source is not None:
                suffix = present[1] if present is not None and present[1] else "_int8"
                origins[operator.outputs[0]] = source[0], suffix
    return origins
