"""From a float network and its calibration record to the bytes of an int8 ``.tflite``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

from tflite_eq.config import Forms, IoType
from tflite_eq.graph import properties, schema
from tflite_eq.graph.compact import drop_unused_buffers, drop_unused_codes, drop_unused_tensors
from tflite_eq.graph.int8_forms import SHAPE_READERS, int8_operators, shared_params
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.graph.subgraphs import append_subgraphs
from tflite_eq.graph.versions import raise_min_runtime_version, set_int8_versions
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.record.calibration import Calibration, LayerRecord
from tflite_eq.text import counted_kinds
from tflite_eq.writing import constants
from tflite_eq.writing.assembly import Assembly, Form, Limit, Meaning
from tflite_eq.writing.fast_forms import add_fast_form


@dataclasses.dataclass(frozen=True)
class Written:
    """A quantized model.

    Attributes:
        model: The flatbuffer's object API.
        meanings: What its computed tensors stand for.
        forms: Where others stand for an operator of the float network.
        limits: Where codes are ended before int8 does.
    """

    model: schema.ModelT
    meanings: list[Meaning]
    forms: list[Form]
    limits: list[Limit]

    def meanings_by_index(self) -> dict[int, Meaning]:
        """The same by position in the model's list of tensors."""
        known = {id(meaning.tensor): meaning for meaning in self.meanings}
        tensors = self.model.subgraphs[0].tensors
        return {i: known[id(t)] for i, t in enumerate(tensors) if id(t) in known}

    def forms_text(self) -> str:
        """Operators of the float network that others stand for; empty if there are none."""
        return counted_kinds(form.kind for form in self.forms)

    def limits_by_index(self) -> dict[int, tuple[int, tuple[int, int]]]:
        """What is limited and to which codes, by position of the result."""
        position = {id(tensor): i for i, tensor in enumerate(self.model.subgraphs[0].tensors)}
        return {
            position[id(one.result)]: (position[id(one.source)], (one.low, one.high))
            for one in self.limits
        }

    def read_by_forms(self) -> dict[int, tuple[int, ...]]:
        """Positions of what forms read, by that of what they write."""
        position = {id(tensor): i for i, tensor in enumerate(self.model.subgraphs[0].tensors)}
        return {
            position[id(form.result)]: tuple(position[id(tensor)] for tensor in form.read)
            for form in self.forms
        }


def write(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    calibration: Calibration,
    skipped: Set[int],
    input_type: IoType = IoType.FLOAT32,
    output_type: IoType = IoType.FLOAT32,
) -> Written:
    """The int8 network that a record describes.

    Operators with an int8 kernel compute on codes; what the record does not cover, what is skipped
    and what has no such kernel stays in float between a DEQUANTIZE and a QUANTIZE. Tensors keep
    their names, signatures and metadata are those of the float network, which is left as it is.

    Args:
        graph: The float network; its linear layers have biases.
        layers: Its linear layers by operator index.
        calibration: The record. It must fit the network; see ``check_fits``.
        skipped: Indices of operators that stay in float.
        input_type: Element type of the inputs that operators on codes read.
        output_type: Element type of the outputs that operators on codes write. Ends that are not
            quantized (integer inputs, operators in float) stay as they are.
    """
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    records = {record.index: record for record in calibration.layers}
    on_codes = int8_operators(graph, skipped, params.keys(), records.keys())
    is_fast = calibration.config.forms is Forms.FAST
    assembly = Assembly(graph, output_type, _limited(graph, calibration, on_codes))
    _settle_inputs(assembly, graph, params, on_codes, input_type)
    for operator in graph.operators:
        if operator.index in on_codes and properties.reads_raw_input(graph, operator):
            assembly.take_raw(operator, params[operator.outputs[0]])
        elif operator.index in on_codes:
            if is_fast and add_fast_form(assembly, graph, operator, params):
                continue
            weights = _weights(assembly, graph, operator, params, layers, records)
            _add_on_codes(assembly, graph, operator, params, weights)
        else:
            _add_in_float(assembly, graph, operator)
    for position, tensor in enumerate(graph.outputs):
        if graph.tensors[tensor].is_float and assembly.holds_codes(tensor):
            assembly.set_output(position, _output(assembly, tensor, output_type))
    model, meanings = assembly.model, assembly.meanings()
    drop_unused_tensors(model.subgraphs[0], model)
    if graph.model.subgraphs[1:]:
        append_subgraphs(model, graph.model, shares_buffers=True)
        drop_unused_codes(model)
    drop_unused_buffers(model)
    written = Graph(model, graph.origin)
    set_int8_versions(written)
    raise_min_runtime_version(written)
    return Written(model, meanings, assembly.forms, assembly.limits)


def _limited(graph: Graph, calibration: Calibration, on_codes: Set[int]) -> dict[int, AffineParams]:
    """Tensors that need an end of their codes: those that no operator hands limited codes on to."""
    found = {}
    for record in calibration.tensors:
        writer = graph.producer(record.index)
        kernel = None if writer is None else INT8_KERNELS.get(writer.kind)
        hands_on = (
            writer is not None
            and writer.index in on_codes
            and kernel is not None
            and kernel.scales is Scales.SHARED
        )
        if record.limited and not hands_on:
            found[record.index] = record.params
    return found


def _settle_inputs(
    assembly: Assembly,
    graph: Graph,
    params: Mapping[int, AffineParams],
    on_codes: Set[int],
    input_type: IoType,
) -> None:
    for tensor in dict.fromkeys(graph.inputs):
        is_read = any(reader.index in on_codes for reader in graph.consumers(tensor))
        if not (is_read and graph.tensors[tensor].is_float):
            continue
        if input_type is IoType.INT8:
            assembly.take_codes(tensor, params[tensor])
        elif input_type is IoType.UINT8:
            assembly.take_uint8(tensor, params[tensor])


def _weights(
    assembly: Assembly,
    graph: Graph,
    operator: Operator,
    params: Mapping[int, AffineParams],
    layers: Mapping[int, LinearLayer],
    records: Mapping[int, LayerRecord],
) -> dict[int, int]:
    """What filter and bias of a linear operator become, by their tensors."""
    if properties.linear_kind(operator) is None:
        return {}
    activation, filters, bias = properties.linear_inputs(operator)
    scale = params[activation].scale
    if operator.index in layers:
        layer, record = layers[operator.index], records[operator.index]
        written = params[operator.outputs[0]].scale
        codes = constants.filter_and_bias(layer, record, scale, written)
        return {index: assembly.constant(index, c) for index, c in zip((filters, bias), codes)}
    if bias < 0:
        return {}
    values = graph.constant(bias)
    codes_of_bias = constants.computed_filter_bias(values, scale, params[filters].scale)
    return {bias: assembly.constant(bias, codes_of_bias)}


def _add_on_codes(
    assembly: Assembly,
    graph: Graph,
    operator: Operator,
    params: Mapping[int, AffineParams],
    weights: Mapping[int, int],
) -> None:
    """Add the int8 form of an operator, and what brings its tensors to the scales it needs."""
    kernel, shared = INT8_KERNELS[operator.kind], shared_params(operator, params)
    inputs = []
    for index in operator.inputs:
        if index in weights:
            inputs.append(weights[index])
        elif index < 0 or not graph.tensors[index].is_float:
            inputs.append(index)
        elif graph.tensors[index].is_constant:
            codes = constants.operand(graph.constant(index), shared, kernel.symmetric_constants)
            inputs.append(assembly.constant(index, codes))
        else:
            inputs.append(assembly.as_codes(index, shared or params[index]))
    imposed = shared or kernel.fixed
    outputs = []
    for index in operator.outputs:
        if graph.tensors[index].is_float and imposed not in (None, params[index]):
            outputs.append(assembly.under(index, imposed))
        else:
            outputs.append(index)
    assembly.add(operator, inputs, outputs)
    for index, made in zip(operator.outputs, outputs):
        if made != index:
            assembly.requantize(made, index)
        if graph.tensors[index].is_float:
            assembly.take_codes(index, params[index])


def _add_in_float(assembly: Assembly, graph: Graph, operator: Operator) -> None:
    """Add an operator as it is, behind whatever gives it real values."""
    inputs = []
    for index in operator.inputs:
        if index < 0 or graph.tensors[index].is_constant or not graph.tensors[index].is_float:
            inputs.append(index)
        elif operator.kind in SHAPE_READERS:
            inputs.append(assembly.as_stored(index))
        else:
            inputs.append(assembly.as_real(index))
    assembly.add(operator, inputs, list(operator.outputs))


def _output(assembly: Assembly, tensor: int, output_type: IoType) -> int:
    if output_type is IoType.FLOAT32:
        return assembly.as_real(tensor)
    if output_type is IoType.UINT8:
        return assembly.as_uint8(tensor)
    return assembly.as_stored(tensor)
