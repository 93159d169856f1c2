"""Whether the tables of a model fit together, before anything is computed with it.

TFLite's interpreters and TensorFlow's converter take for granted what is checked here, or find it
out by ending the process. It is checked in one place, for whoever reads a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.operator_form import check_operator
from tflite_eq.graph.sparsity import stored_values
from tflite_eq.graph.subgraphs import called

# Bits of one element; types without a size of their own are absent.
_BITS = {
    **dict.fromkeys(("INT2",), 2),
    **dict.fromkeys(("INT4", "UINT4"), 4),
    **dict.fromkeys(("BOOL", "INT8", "UINT8"), 8),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("FLOAT32", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT64", "INT64", "UINT64", "COMPLEX64"), 64),
    **dict.fromkeys(("COMPLEX128",), 128),
}

# Codes of the quantized types.
CODES = {
    "INT4": (-8, 7),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-(1 << 15), (1 << 15) - 1),
    "INT32": (-(1 << 31), (1 << 31) - 1),
}

# Kernels count dimensions in arrays of this length and bytes in 32 bits.
_MOST_DIMENSIONS = 8
_LARGEST_TENSOR = (1 << 31) - 1

# Kernels compute with ratios of scales, which must not leave float32 nor their shifts 32 bits.
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-30, 1e30

_AGAIN = "the file is corrupt: write or download it again"


def check_consistent(model: schema.ModelT, origin: str) -> None:
    """Refuse a model whose parts refer to what is not there or contradict each other.

    Missing lists of tables become empty ones, in place, so that readers need not ask.

    Args:
        model: The object API of the whole flatbuffer.
        origin: What to call the model in error messages.

    Raises:
        ModelError: Names the operator or tensor at fault.
    """
    model.operatorCodes = model.operatorCodes or []
    model.buffers = model.buffers or []
    for code in model.operatorCodes:
        _check_code(code, origin)
    for number, subgraph in enumerate(model.subgraphs):
        where = origin if number == 0 else f"{origin}: subgraph {number}"
        _Subgraph(model, subgraph, where).check()
        for index in called(subgraph):
            if index >= len(model.subgraphs):
                raise ModelError(
                    f"{where}: an operator runs subgraph {index} of {len(model.subgraphs)}; "
                    f"{_AGAIN}"
                )
    _check_metadata(model, origin)
    _check_signatures(model, origin)


def _check_code(code: Any, origin: str) -> None:
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number not in schema.operator_names():
        raise ModelError(
            f"{origin}: has an operator with code {number}, which the installed TFLite does not "
            f"know; install a newer ai-edge-litert or tensorflow, unless {_AGAIN}"
        )
    _text(code.customCode, f"{origin}: the name of a custom operator")


def _check_metadata(model: schema.ModelT, origin: str) -> None:
    for entry in model.metadata or []:
        name = _text(entry.name, f"{origin}: the name of a metadata entry")
        if entry.buffer >= len(model.buffers):
            raise ModelError(
                f"{origin}: metadata '{name}' are in buffer {entry.buffer} of "
                f"{len(model.buffers)}; {_AGAIN}"
            )
    if any(not 0 <= i < len(model.buffers) for i in _ints(model.metadataBuffer)):
        raise ModelError(f"{origin}: metadata are in a buffer that is not there; {_AGAIN}")


def _check_signatures(model: schema.ModelT, origin: str) -> None:
    for definition in model.signatureDefs or []:
        key = _text(definition.signatureKey, f"{origin}: the key of a signature")
        where = f"{origin}: signature '{key}'"
        if definition.subgraphIndex >= len(model.subgraphs):
            raise ModelError(f"{where} is of a subgraph that is not there; {_AGAIN}")
        subgraph = model.subgraphs[definition.subgraphIndex]
        for field in ("inputs", "outputs"):
            ends = set(_ints(getattr(subgraph, field)))
            for entry in getattr(definition, field) or []:
                name = _text(entry.name, f"{where}: a name among its {field}")
                if entry.tensorIndex not in ends:
                    raise ModelError(
                        f"{where}: '{name}' is tensor {entry.tensorIndex}, which is none of the "
                        f"graph's {field}; convert the model again"
                    )


class _Subgraph:
    """One subgraph and what was found out about its tensors."""

    def __init__(self, model: schema.ModelT, subgraph: schema.SubGraphT, where: str) -> None:
        self._model = model
        self._subgraph = subgraph
        self._where = where
        subgraph.tensors = subgraph.tensors or []
        subgraph.operators = subgraph.operators or []
        self._inputs = _ints(subgraph.inputs)
        self._outputs = _ints(subgraph.outputs)
        subgraph.inputs = np.array(self._inputs, np.int32)
        subgraph.outputs = np.array(self._outputs, np.int32)
        self._constants: set[int] = set()

    def check(self) -> None:
        """Raise ``ModelError`` if anything is wrong."""
        for index, tensor in enumerate(self._subgraph.tensors):
            self._check_tensor(index, tensor)
        self._check_ends()
        self._check_operators()

    def _check_tensor(self, index: int, tensor: schema.TensorT) -> None:
        name = _text(tensor.name, f"{self._where}: the name of tensor {index}")
        where = f"{self._where}: tensor {index} ('{name[:100]}')"
        kind = schema.tensor_type_names().get(tensor.type)
        if kind is None:
            raise ModelError(
                f"{where} has element type {tensor.type}, which the installed TFLite does not "
                f"know; install a newer ai-edge-litert or tensorflow, unless {_AGAIN}"
            )
        if getattr(tensor, "externalBuffer", 0):
            raise ModelError(
                f"{where} is stored in another file, which this tool does not read; convert the "
                "model with its weights inside"
            )
        if not 0 <= tensor.buffer < len(self._model.buffers):
            raise ModelError(
                f"{where} is in buffer {tensor.buffer} of {len(self._model.buffers)}; {_AGAIN}"
            )
        shape = _ints(tensor.shape)
        self._check_shape(shape, kind, tensor, where)
        data = self._model.buffers[tensor.buffer].data
        stored = 0 if data is None else len(data)
        if stored or 0 in shape:
            self._constants.add(index)
        count = math.prod(shape)
        if tensor.sparsity is not None:
            if not stored:
                raise ModelError(f"{where} is sparse, but has no values stored; {_AGAIN}")
            try:
                count = stored_values(tensor.sparsity, shape)
            except ValueError as error:
                raise ModelError(
                    f"{where} is stored as no sparse tensor: {error}; {_AGAIN}"
                ) from error
        if stored and kind in _BITS:
            needed = -(-count * _BITS[kind] // 8)
            if stored != needed:
                raise ModelError(
                    f"{where} of shape {shape} and type {kind} needs {needed} bytes, but has "
                    f"{stored}: the file is truncated or corrupt; write or download it again"
                )
        self._check_quantization(tensor.quantization, shape, kind, where)

    def _check_shape(self, shape: list[int], kind: str, tensor: schema.TensorT, where: str) -> None:
        if any(size < 0 for size in shape) or len(shape) > _MOST_DIMENSIONS:
            raise ModelError(
                f"{where} has shape {shape[:20]}; sizes must be 0 or more, in at most "
                f"{_MOST_DIMENSIONS} dimensions; {_AGAIN}"
            )
        if math.prod(shape) * _BITS.get(kind, 8) // 8 > _LARGEST_TENSOR:
            raise ModelError(
                f"{where} of shape {shape} and type {kind} has more than {_LARGEST_TENSOR} bytes, "
                "the most that TFLite computes with; convert the model for smaller inputs, unless "
                f"{_AGAIN}"
            )
        signature = _ints(tensor.shapeSignature)
        fits = len(signature) == len(shape) and all(
            given in (-1, size) for given, size in zip(signature, shape)
        )
        if signature and not fits:
            raise ModelError(
                f"{where} has shape {shape}, but the signature of its shape is {signature[:20]}; "
                f"{_AGAIN}"
            )

    def _check_quantization(
        self, quantization: Any, shape: Sequence[int], kind: str, where: str
    ) -> None:
        if quantization is None:
            return
        if quantization.detailsType != 0:
            raise ModelError(
                f"{where} is quantized in blocks or by a custom scheme, which this tool does not "
                "read; convert the model with a scale per tensor or per channel"
            )
        scales = np.asarray(_list(quantization.scale), np.float32)
        zero_points = _ints(quantization.zeroPoint)
        if not scales.size or kind not in CODES:
            return
        axis = quantization.quantizedDimension
        is_per_tensor = scales.size == 1
        if not is_per_tensor and not (0 <= axis < len(shape) and scales.size == shape[axis]):
            raise ModelError(
                f"{where} of shape {list(shape)} has {scales.size} scales along dimension {axis}; "
                f"expected one, or one per channel; {_AGAIN}"
            )
        if not ((scales > _SMALLEST_SCALE) & (scales < _LARGEST_SCALE)).all():
            raise ModelError(
                f"{where} has a scale that is not between {_SMALLEST_SCALE:g} and "
                f"{_LARGEST_SCALE:g}; quantize the float model again"
            )
        low, high = CODES[kind]
        if len(zero_points) not in (0, 1, scales.size) or any(
            not low <= zero_point <= high for zero_point in zero_points
        ):
            raise ModelError(
                f"{where} has {len(zero_points)} zero points for {scales.size} scales, the first "
                f"is {zero_points[:1]}; expected as many, in [{low}, {high}]; quantize the float "
                "model again"
            )

    def _check_ends(self) -> None:
        count = len(self._subgraph.tensors)
        for what, ends in (("input", self._inputs), ("output", self._outputs)):
            for index in ends:
                if not 0 <= index < count:
                    raise ModelError(
                        f"{self._where}: an {what} of the graph is tensor {index} of {count}; "
                        f"{_AGAIN}"
                    )
        if not self._outputs and self._subgraph is self._model.subgraphs[0]:
            raise ModelError(f"{self._where}: the graph has no output; convert the model again")
        for index in self._inputs:
            if index in self._constants and len(self._data(index)):
                raise ModelError(
                    f"{self._where}: the graph's input '{self._name(index)}' holds constants; "
                    "convert the model again"
                )
            if self._inputs.count(index) > 1:
                raise ModelError(
                    f"{self._where}: the graph's input '{self._name(index)}' is listed twice; "
                    "convert the model again"
                )

    def _check_operators(self) -> None:
        defined = {*self._inputs, *self._constants}
        defined.update(i for i, t in enumerate(self._subgraph.tensors) if t.isVariable)
        written: dict[int, str] = {}
        for number, operator in enumerate(self._subgraph.operators):
            if not 0 <= operator.opcodeIndex < len(self._model.operatorCodes):
                raise ModelError(
                    f"{self._where}: operator {number} has kind {operator.opcodeIndex} of "
                    f"{len(self._model.operatorCodes)}; {_AGAIN}"
                )
            kind = schema.operator_kind(self._model.operatorCodes[operator.opcodeIndex])
            where = f"{self._where}: operator {number} ({kind})"
            self._check_indices(operator, where)
            for index in _ints(operator.inputs):
                if index >= 0 and index not in defined:
                    raise ModelError(
                        f"{where} reads '{self._name(index)}' before anything has written it; "
                        "convert the model again"
                    )
            for index in _ints(operator.outputs):
                if self._subgraph.tensors[index].isVariable:
                    raise ModelError(
                        f"{where} writes '{self._name(index)}', which is a variable; export an "
                        "inference-only model"
                    )
                if index in written or index in self._inputs or len(self._data(index)):
                    other = written.get(index, "the graph itself")
                    raise ModelError(
                        f"{where} writes '{self._name(index)}', which {other} gives already; "
                        "convert the model again"
                    )
                written[index] = f"operator {number} ({kind})"
                defined.add(index)
            check_operator(kind, operator, self._subgraph.tensors, where)
        for index in self._outputs:
            if len(self._data(index)):
                raise ModelError(
                    f"{self._where}: the graph's output '{self._name(index)}' is a constant; "
                    "convert the model without that output"
                )
            if index not in defined:
                raise ModelError(
                    f"{self._where}: nothing writes the graph's output '{self._name(index)}'; "
                    "convert the model again"
                )

    def _check_indices(self, operator: schema.OperatorT, where: str) -> None:
        count = len(self._subgraph.tensors)
        for field, least in (("inputs", -1), ("outputs", 0), ("intermediates", -1)):
            for index in _ints(getattr(operator, field)):
                if not least <= index < count:
                    raise ModelError(
                        f"{where} has tensor {index} of {count} among its {field}; {_AGAIN}"
                    )

    def _data(self, index: int) -> Sequence[int]:
        data = self._model.buffers[self._subgraph.tensors[index].buffer].data
        return () if data is None else data

    def _name(self, index: int) -> str:
        return (self._subgraph.tensors[index].name or b"").decode()[:100]


def _text(name: Any, what: str) -> str:
    """A name as text; absent names are empty.

    Raises:
        ModelError: It is no UTF-8.
    """
    if name is None or isinstance(name, str):
        return name or ""
    try:
        decoded: str = name.decode()
        return decoded
    except UnicodeDecodeError as error:
        raise ModelError(f"{what} is not UTF-8; {_AGAIN}") from error


def _ints(values: Any) -> list[int]:
    return [int(value) for value in _list(values)]


def _list(values: Any) -> Iterator[Any] | Sequence[Any]:
    return () if values is None else values
