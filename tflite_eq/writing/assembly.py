"""Putting an int8 network together from a float one, tensor by tensor.

A float tensor of the network is, in the result, real values or codes, whichever the operator that
writes it makes. It keeps its index until the end, and its name. Where an operator reads it in
another form, a conversion is put in front of that operator, once for all of its readers.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_eq.config import IoType
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams
from tflite_eq.writing.constants import Codes

# uint8 codes are int8 codes counted from 0.
_UINT8_OFFSET = 128


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What a computed tensor of the written network stands for.

    Attributes:
        tensor: The tensor, an object of the flatbuffer's object API.
        source: Tensor index in the float network.
        params: Scale and zero point that its int8 codes are to have; ``None`` for other types.
    """

    tensor: schema.TensorT
    source: int
    params: AffineParams | None


@dataclasses.dataclass(frozen=True)
class Form:
    """Operators of the written network that stand for one of the float network.

    Attributes:
        kind: The float operator's kind.
        result: What they write that the float operator writes, too.
        read: What they read of the network.
    """

    kind: str
    result: schema.TensorT
    read: tuple[schema.TensorT, ...]


@dataclasses.dataclass(frozen=True)
class Limit:
    """A MAXIMUM, a MINIMUM or both of the written network that end a tensor's codes.

    Attributes:
        source: The codes as they are made.
        result: The same between the ends.
        low: Smallest code.
        high: Largest code.
    """

    source: schema.TensorT
    result: schema.TensorT
    low: int
    high: int


class Assembly:
    """A network in the making.

    Attributes:
        model: Its flatbuffer's object API. Shares with the float network what is the same in both.
        forms: Where several operators, or one of another kind, stand for one.
        limits: Where codes are ended before int8 does.
    """

    def __init__(
        self,
        graph: Graph,
        output_type: IoType,
        limited: Mapping[int, AffineParams] | None = None,
    ) -> None:
        """Start with the tensors of a float network, in their order, and no operators.

        Args:
            graph: The float network.
            output_type: Element type of its outputs.
            limited: Tensors whose codes are to be ended before int8 does, with these ends.
        """
        self._graph = graph
        self._limited = limited or {}
        self._output_type = output_type
        self.model = copy.copy(graph.model)
        self._subgraph = copy.copy(graph.subgraph)
        self._subgraph.tensors = [copy.copy(tensor) for tensor in graph.subgraph.tensors]
        self._subgraph.operators = []
        self._subgraph.inputs = list(graph.inputs)
        self._subgraph.outputs = list(graph.outputs)
        self.model.subgraphs = [self._subgraph]
        self.model.buffers = list(graph.model.buffers)
        self.model.metadata = [copy.copy(entry) for entry in graph.model.metadata or []]
        self.model.signatureDefs = copy.deepcopy(graph.model.signatureDefs)
        self.model.operatorCodes = []
        self._codes: dict[tuple[int, Any], int] = {}
        # Scale and zero point of the tensors that hold codes as their writer makes them.
        self._native: dict[int, AffineParams] = {}
        # Copies in another form, by tensor and scale and zero point or type.
        self._converted: dict[tuple[int, AffineParams | IoType], int] = {}
        self._constants: dict[tuple[Any, ...], int] = {}
        # What copies of tensors are copies of, and the parameters of those in int8.
        self._copies: dict[int, tuple[int, AffineParams | None]] = {}
        self._dequantized = 0
        # Codes of limited tensors as operators write them.
        self._unlimited: dict[int, int] = {}
        self.forms: list[Form] = []
        self.limits: list[Limit] = []

    def take_codes(self, tensor: int, params: AffineParams) -> None:
        """Have whatever writes a tensor write codes: an operator, or the network's user.

        An operator must have been added.
        """
        self._native[tensor] = params
        _quantize_type(self._subgraph.tensors[tensor], params)
        if tensor not in self._limited:
            return
        writers = [o for o in self._subgraph.operators if tensor in list(o.outputs)]
        if not writers:
            made = self.under(tensor, params)
            self._limit(tensor, tensor, made)
            self._converted[tensor, params] = made
            return
        made = self._unlimited_copy(tensor, params)
        writers[-1].outputs = [made if i == tensor else i for i in writers[-1].outputs]
        self._unlimited[tensor] = made
        self._limit(tensor, made, tensor)

    def take_uint8(self, tensor: int, params: AffineParams) -> None:
        """Have the network's user write an input in uint8, under the scale of int8 ``params``."""
        inner = self.under(tensor, params)
        _uint8_type(self._subgraph.tensors[tensor], params)
        self._make_codes(tensor, tensor, inner, params)
        self._converted[tensor, params] = inner

    def take_raw(self, operator: Operator, params: AffineParams) -> None:
        """Have integers that the network's user writes stand for themselves, and codes be made.

        Args:
            operator: The CAST of the input, which is not needed then.
            params: Scale and zero point of its result.
        """
        source, result = operator.inputs[0], operator.outputs[0]
        stored = self._subgraph.tensors[source]
        stored.quantization = _quantization(np.ones(1, np.float32), 0)
        self._convert("QUANTIZE", source, result)
        self.take_codes(result, params)

    def as_codes(self, tensor: int, params: AffineParams) -> int:
        """Index of a tensor's codes under a scale and zero point."""
        if (tensor, params) in self._converted:
            return self._converted[tensor, params]
        if self._native.get(tensor) == params:
            return tensor
        made = self.under(tensor, params)
        self._make_codes(tensor, self.as_stored(tensor), made, params)
        self._converted[tensor, params] = made
        return made

    def as_real(self, tensor: int) -> int:
        """Index of a tensor's real values."""
        source = self.as_stored(tensor)
        if self._type_name(source) == "FLOAT32":
            return source
        if (tensor, IoType.FLOAT32) not in self._converted:
            is_output = self._output_type is IoType.FLOAT32 and tensor in self._graph.outputs
            name = self._name(tensor) if is_output else self._dequantized_name()
            made = self._named_copy(tensor, name)
            stored = self._subgraph.tensors[made]
            stored.type, stored.quantization = schema.schema().TensorType.FLOAT32, None
            self._copies[made] = tensor, None
            if is_output:
                self._lend_name(tensor)
            self._convert("DEQUANTIZE", source, made)
            self._converted[tensor, IoType.FLOAT32] = made
        return self._converted[tensor, IoType.FLOAT32]

    def as_uint8(self, tensor: int) -> int:
        """Index of a tensor's codes in uint8."""
        if self._type_name(tensor) == "UINT8":
            return tensor
        if (tensor, IoType.UINT8) not in self._converted:
            made = self._named_copy(tensor, self._name(tensor))
            _uint8_type(self._subgraph.tensors[made], self._native[tensor])
            self._lend_name(tensor)
            self._convert("QUANTIZE", tensor, made)
            self._converted[tensor, IoType.UINT8] = made
        return self._converted[tensor, IoType.UINT8]

    def as_stored(self, tensor: int) -> int:
        """Index of a tensor as an operator can read it for nothing: real values or int8 codes."""
        if self._type_name(tensor) != "UINT8":
            return tensor
        return next(made for (source, _), made in self._converted.items() if source == tensor)

    def under(self, tensor: int, params: AffineParams) -> int:
        """Index of a new tensor for the codes of ``tensor`` under a scale and zero point."""
        made = self._named_copy(tensor, f"{self._name(tensor)}_int8")
        _quantize_type(self._subgraph.tensors[made], params)
        self._copies[made] = tensor, params
        return made

    def requantize(self, source: int, tensor: int) -> None:
        """Have a tensor's codes made from those that an operator writes under another scale."""
        self._convert("QUANTIZE", source, tensor)

    def holds_codes(self, tensor: int) -> bool:
        """Whether what writes a tensor writes codes."""
        return self._type_name(tensor) != "FLOAT32"

    def constant(self, tensor: int, codes: Codes) -> int:
        """Index of a quantized constant; equal ones made from the same tensor are one."""
        key = (tensor, codes.values.tobytes(), codes.scales.tobytes(), codes.zero_point, codes.axis)
        if key not in self._constants:
            made = self._named_copy(tensor, self._name(tensor))
            self._store(self._subgraph.tensors[made], codes)
            self._constants[key] = made
        return self._constants[key]

    def named_constant(self, name: str, codes: Codes) -> int:
        """Index of a quantized constant that the float network has not; equal ones are one."""
        key = (name, codes.values.tobytes(), codes.scales.tobytes(), codes.zero_point)
        if key not in self._constants:
            made = schema.schema().TensorT()
            made.name = name.encode()
            made.shape = np.array(codes.values.shape, np.int32)
            self._store(made, codes)
            self._constants[key] = self._append(made)
        return self._constants[key]

    def between(self, tensor: int, suffix: str, params: AffineParams) -> int:
        """Index of a new tensor of another's shape, for codes that only a form computes with."""
        made = self._named_copy(tensor, f"{self._name(tensor)}/{suffix}")
        _quantize_type(self._subgraph.tensors[made], params)
        return made

    def note_form(self, operator: Operator, read: list[int]) -> None:
        """Keep in mind what is read by those that stand for an operator of the float network."""
        tensors, written = self._subgraph.tensors, operator.outputs[0]
        result = tensors[self._unlimited.get(written, written)]
        self.forms.append(Form(operator.kind, result, tuple(tensors[index] for index in read)))

    def add(self, operator: Operator, inputs: list[int], outputs: list[int]) -> None:
        """Append an operator of the float network with these tensors."""
        stored = copy.copy(self._graph.subgraph.operators[operator.index])
        code = self._graph.model.operatorCodes[stored.opcodeIndex]
        stored.opcodeIndex = self._code(schema.builtin_code(code), code.customCode, code.version)
        stored.inputs, stored.outputs = inputs, outputs
        stored.builtinOptions = copy.copy(stored.builtinOptions)
        self._subgraph.operators.append(stored)

    def set_output(self, position: int, tensor: int) -> None:
        """Have an output of the network, and of its signatures, be another tensor."""
        replaced = self._graph.outputs[position]
        self._subgraph.outputs[position] = tensor
        for definition in self.model.signatureDefs or []:
            for entry in definition.outputs or []:
                if int(entry.tensorIndex) == replaced:
                    entry.tensorIndex = tensor

    def meanings(self) -> list[Meaning]:
        """What the tensors stand for, but for constants and the network's ends in uint8."""
        tensors = self._subgraph.tensors
        known = {
            tensor.index: (tensor.index, self._native.get(tensor.index))
            for tensor in self._graph.tensors
            if not tensor.is_constant and self._type_name(tensor.index) != "UINT8"
        }
        known.update(self._copies)
        return [Meaning(tensors[i], source, params) for i, (source, params) in known.items()]

    def append(
        self, kind: str, inputs: list[int], outputs: list[int], options: tuple[str, dict[str, Any]]
    ) -> None:
        """Append an operator that the float network has not; options are class and fields."""
        generated = schema.schema()
        name, values = options
        stored = generated.OperatorT()
        stored.opcodeIndex = self._code(getattr(generated.BuiltinOperator, kind), None, 1)
        stored.inputs, stored.outputs = inputs, outputs
        stored.builtinOptionsType = getattr(generated.BuiltinOptions, name)
        stored.builtinOptions = getattr(generated, f"{name}T")()
        for field, value in values.items():
            setattr(stored.builtinOptions, field, value)
        self._subgraph.operators.append(stored)

    def _make_codes(self, tensor: int, source: int, made: int, params: AffineParams) -> None:
        """Make codes of a tensor under ``params`` from another form of it."""
        ends = self._limited.get(tensor)
        if ends is None or (ends.scale, ends.zero_point) != (params.scale, params.zero_point):
            self._convert("QUANTIZE", source, made)
            return
        unlimited = self._unlimited_copy(tensor, params)
        self._convert("QUANTIZE", source, unlimited)
        self._limit(tensor, unlimited, made)

    def _unlimited_copy(self, tensor: int, params: AffineParams) -> int:
        made = self.between(tensor, "unlimited", params)
        self._copies[made] = tensor, params
        return made

    def _limit(self, tensor: int, source: int, result: int) -> None:
        """End the codes of ``tensor`` that ``source`` holds, in ``result``."""
        ends = self._limited[tensor]
        # What writes a tensor without codes below the zero point writes none by itself.
        above = ends.low if ends.low != ends.zero_point else INT8_MIN
        steps = [
            (kind, end)
            for kind, end, last in (
                ("MAXIMUM", above, INT8_MIN),
                ("MINIMUM", ends.high, INT8_MAX),
            )
            if end != last
        ]
        read = source
        for number, (kind, end) in enumerate(steps):
            is_last = number == len(steps) - 1
            made = result if is_last else self.between(tensor, "half_limited", ends)
            codes = Codes(
                np.array([end], np.int8), np.array([ends.scale], np.float32), ends.zero_point
            )
            constant = self.named_constant(f"{self._name(tensor)}/{kind.lower()}", codes)
            self.append(kind, [read, constant], [made], ("MaximumMinimumOptions", {}))
            read = made
        tensors = self._subgraph.tensors
        self.limits.append(Limit(tensors[source], tensors[result], ends.low, ends.high))

    def _convert(self, kind: str, source: int, made: int) -> None:
        self.append(kind, [source], [made], (f"{kind.title()}Options", {}))

    def _store(self, stored: schema.TensorT, codes: Codes) -> None:
        """Make a tensor a constant of these codes."""
        generated = schema.schema()
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(codes.values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        stored.buffer = len(self.model.buffers) - 1
        stored.sparsity = None
        stored.type = getattr(generated.TensorType, codes.values.dtype.name.upper())
        stored.quantization = _quantization(codes.scales, codes.zero_point, codes.axis)

    def _code(self, builtin: int, custom: Any, version: int) -> int:
        """Index of the one operator code of a kind, at the version of its first operator."""
        if (builtin, custom) not in self._codes:
            code = schema.schema().OperatorCodeT()
            code.builtinCode, code.customCode, code.version = builtin, custom, version
            code.deprecatedBuiltinCode = min(builtin, schema.LAST_DEPRECATED_CODE)
            self._codes[builtin, custom] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        code = self.model.operatorCodes[self._codes[builtin, custom]]
        code.version = max(code.version, version)
        return self._codes[builtin, custom]

    def _named_copy(self, tensor: int, name: str) -> int:
        made = copy.copy(self._subgraph.tensors[tensor])
        made.name = name.encode()
        return self._append(made)

    def _append(self, stored: schema.TensorT) -> int:
        self._subgraph.tensors.append(stored)
        return len(self._subgraph.tensors) - 1

    def _lend_name(self, tensor: int) -> None:
        """Rename what an output is made from: the output has the name, as from TensorFlow."""
        if tensor not in self._graph.inputs:
            self._subgraph.tensors[tensor].name = f"{self._name(tensor)}1".encode()

    def _name(self, tensor: int) -> str:
        return self._graph.tensors[tensor].name

    def _type_name(self, tensor: int) -> str:
        return schema.tensor_type_names()[self._subgraph.tensors[tensor].type]

    def _dequantized_name(self) -> str:
        """A name as TensorFlow's converter gives in front of operators in float."""
        number, self._dequantized = self._dequantized, self._dequantized + 1
        return f"tfl.dequantize{number or ''}"


def _quantize_type(stored: schema.TensorT, params: AffineParams) -> None:
    stored.type = schema.schema().TensorType.INT8
    stored.quantization = _quantization(np.array([params.scale], np.float32), params.zero_point)


def _uint8_type(stored: schema.TensorT, params: AffineParams) -> None:
    stored.type = schema.schema().TensorType.UINT8
    stored.quantization = _quantization(
        np.array([params.scale], np.float32), params.zero_point + _UINT8_OFFSET
    )


def _quantization(scales: Any, zero_point: int, axis: int = 0) -> Any:
    quantization = schema.schema().QuantizationParametersT()
    quantization.scale = scales
    quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
    quantization.quantizedDimension = axis
    return quantization
