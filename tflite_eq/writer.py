"""From a float network and its calibration record to the bytes of an int8 ``.tflite``."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.backends import Backend
from tflite_eq.calibration.filters import recorded_filters
from tflite_eq.calibration.record import Calibration, LayerRecord
from tflite_eq.errors import BackendError
from tflite_eq.graph import properties, schema
from tflite_eq.graph.compact import drop_unused_buffers
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.validate import describe
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import AffineParams

# Scales of the backend's result that differ by less come from rounding (max - min) / 255.
_SCALE_NOISE = 1e-5

# A tensor of the float model as ``_with_unique_names`` calls it; names of an operator with several
# results come back joined, as ``t7;;t8;``, with a number behind them from the second result on.
_UNIQUE_NAMES = re.compile(r"^(t\d+;(?:;t\d+;)*)(.*)$", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What a tensor of the written model stands for.

    Attributes:
        tensor: The tensor, an object of the flatbuffer's object API.
        source: Tensor index in the float network.
        params: Scale and zero point that its int8 codes are to have: the record's, or where the
            backend imposes others, these. ``None`` for tensors that are not int8.
    """

    tensor: schema.TensorT
    source: int
    params: AffineParams | None


@dataclasses.dataclass
class Written:
    """A quantized model before its ends and metadata are put in place.

    Attributes:
        model: The flatbuffer's object API, with float inputs and outputs.
        warnings: Deviations from the record that the backend imposed, one sentence each.
        meanings: What the quantizer wants of the tensors of ``model``.
    """

    model: schema.ModelT
    warnings: list[str]
    meanings: list[Meaning]

    def meanings_by_index(self) -> dict[int, Meaning]:
        """The same by position in the model's list of tensors as it is now: edits may move them."""
        known = {id(meaning.tensor): meaning for meaning in self.meanings}
        tensors = self.model.subgraphs[0].tensors
        return {i: known[id(t)] for i, t in enumerate(tensors) if id(t) in known}


def write(
    graph: Graph,
    layers: dict[int, LinearLayer],
    calibration: Calibration,
    skipped: set[int],
    backend: Backend,
) -> Written:
    """Quantize the network's structure, then put in the record's scales, weights and biases.

    The record must fit the network; see ``check_fits``.

    Raises:
        BackendError: The backend fails or returns a graph that cannot be matched.
    """
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    unique = _with_unused_as_outputs(_with_unique_names(graph))
    result = Graph.from_bytes(backend.quantize(unique, params, skipped), graph.origin)
    result = _without_added_outputs(result, len(graph.outputs))
    origins = _origins(result)
    _refuse_ignored_skips(graph, result, origins, skipped, backend.name)
    written = _Writer(graph, layers, result, params, origins)
    written.settle_activations()
    for record in calibration.layers:
        if record.index not in skipped:
            written.write_layer(record)
    written.restore_names()
    model = result.model
    model.signatureDefs = _moved_signatures(graph, result)
    model.metadata = _without_repeats(model.metadata)
    drop_unused_buffers(model)
    return Written(model, written.warnings, written.meanings)


class _Writer:
    """Edits one backend result in place."""

    def __init__(
        self,
        graph: Graph,
        layers: dict[int, LinearLayer],
        result: Graph,
        params: dict[int, AffineParams],
        origins: dict[int, tuple[int, str] | None],
    ) -> None:
        self._graph = graph
        self._layers = layers
        self._result = result
        self._params = params
        self._origins = origins
        self._subgraph = result.subgraph
        self._written: dict[int, tuple[bytes, bytes]] = {}
        self.warnings: list[str] = []
        self.meanings: list[Meaning] = []

    def settle_activations(self) -> None:
        """Take rounding noise out of the backend's scales; note real deviations."""
        for index, origin in self._origins.items():
            tensor = self._result.tensors[index]
            if origin is None or tensor.is_constant:
                continue
            source, object_ = origin[0], self._subgraph.tensors[index]
            if tensor.type_name != "INT8":
                self.meanings.append(Meaning(object_, source, None))
                continue
            if source not in self._params:
                continue
            planned = self._params[source]
            stored = object_.quantization
            scale, zero_point = float(stored.scale[0]), int(stored.zeroPoint[0])
            if zero_point == planned.zero_point and (abs(scale / planned.scale - 1) < _SCALE_NOISE):
                stored.scale = np.array([planned.scale], np.float32)
                self.meanings.append(Meaning(object_, source, planned))
                continue
            self.meanings.append(Meaning(object_, source, AffineParams(scale, zero_point)))
            self.warnings.append(
                f"tensor '{self._graph.tensors[source].name}': the backend imposes scale "
                f"{scale:.6g}, zero point {zero_point} instead of {planned.scale:.6g}, "
                f"{planned.zero_point}"
            )

    def write_layer(self, record: LayerRecord) -> None:
        """Overwrite filter and bias of one linear layer."""
        layer = self._layers[record.index]
        operator = self._matching(layer)
        activation, filter_index, bias_index = properties.linear_inputs(operator)
        input_scale = float(self._subgraph.tensors[activation].quantization.scale[0])
        filters = recorded_filters(layer, record)
        bias = layer.bias_values.copy()
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
        for operator in self._result.operators:
            if operator.kind != layer.kind.value:
                continue
            origin = self._origins[operator.outputs[0]]
            if origin is not None and origin[0] == layer.output:
                if self._result.tensors[operator.outputs[0]].type_name == "INT8":
                    return operator
                break
        raise BackendError(
            f"{self._graph.origin}: layer '{layer.name}' ({layer.kind.value}) was left in float by "
            f"the backend. Keep it in float on purpose with --skip '^{re.escape(layer.name)}$', or "
            "report the operator"
        )

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


def _moved_signatures(graph: Graph, result: Graph) -> list[Any] | None:
    """The float model's signatures for the tensor indices of the result."""
    definitions: list[Any] | None = copy.deepcopy(graph.model.signatureDefs)
    moved = dict(zip(graph.inputs + graph.outputs, result.inputs + result.outputs))
    for definition in definitions or []:
        for entry in [*(definition.inputs or []), *(definition.outputs or [])]:
            entry.tensorIndex = moved[int(entry.tensorIndex)]
    return definitions


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
    """The backend's result with its first ``count`` outputs only."""
    added = set(result.outputs[count:])
    if not added:
        return result
    subgraph = result.subgraph
    subgraph.outputs = list(result.outputs[:count])
    subgraph.operators = [
        stored
        for stored, operator in zip(subgraph.operators, result.operators)
        if not (operator.kind == "DEQUANTIZE" and added.issuperset(operator.outputs))
    ]
    return Graph(result.model, result.origin)


def _refuse_ignored_skips(
    graph: Graph,
    result: Graph,
    origins: dict[int, tuple[int, str] | None],
    skipped: set[int],
    backend: str,
) -> None:
    """Refuse a result in which an operator to be kept in float is int8.

    TensorFlow's quantizer tells operators by name and knows none for those with several results.
    """
    kept = {graph.operators[index].outputs[0]: graph.operators[index] for index in skipped}
    for operator in result.operators:
        origin = origins[operator.outputs[0]] if operator.outputs else None
        wanted = kept.get(origin[0]) if origin else None
        if wanted is None or wanted.kind != operator.kind:
            continue
        if result.tensors[operator.outputs[0]].type_name == "INT8":
            remedy = "use --backend litert, or " if backend.startswith("tensorflow") else ""
            raise BackendError(
                f"{graph.origin}: {describe(graph, wanted)} matches --skip, but {backend} "
                f"quantizes it all the same; {remedy}keep the operators behind it in float instead"
            )


def _origins(result: Graph) -> dict[int, tuple[int, str] | None]:
    """Index in the float model and suffix that the backend added, by tensor of the result."""
    origins: dict[int, tuple[int, str] | None] = {}
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


def _without_repeats(metadata: Any) -> list[Any]:
    """The last entry of each name; the backend repeats what it finds."""
    return list({entry.name: entry for entry in metadata or []}.values())
