"""A read-only view of the one graph inside a TFLite flatbuffer."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.channel_copies import Copies
from tflite_eq.graph.consistency import check_consistent
from tflite_eq.graph.sparsity import dense_values

_DTYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "FLOAT64": np.float64,
    "INT4": np.int8,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "UINT16": np.uint16,
    "INT32": np.int32,
    "UINT32": np.uint32,
    "INT64": np.int64,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor of the graph.

    Attributes:
        index: Position in the subgraph's tensor list.
        name: Name as stored; not necessarily unique.
        type_name: Schema name of the element type, e.g. ``FLOAT32``.
        shape: Static shape; dynamic dimensions appear as 1.
        dynamic: Whether any dimension is dynamic in the shape signature.
        is_constant: Whether the flatbuffer holds its values, which may be none at all, such as the
            shape of what has no dimensions.
    """

    index: int
    name: str
    type_name: str
    shape: tuple[int, ...]
    dynamic: bool
    is_constant: bool

    @property
    def is_float(self) -> bool:
        """Whether the elements are float32."""
        return self.type_name == "FLOAT32"


@dataclasses.dataclass(frozen=True)
class Operator:
    """One operator of the graph.

    Attributes:
        index: Position in the execution order, which is topological.
        kind: Builtin operator name, e.g. ``CONV_2D``; custom operators give their custom name.
        inputs: Tensor indices; an absent optional input is -1.
        outputs: Tensor indices.
        options: The schema's options object, ``None`` if the operator has none.
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


class Graph:
    """The main subgraph of a model with producers, consumers and constants resolved.

    Attributes:
        model: The object API of the whole flatbuffer. Treat it as read-only.
        tensors: All tensors by index.
        operators: All operators in execution order.
        inputs: Tensor indices of the graph inputs.
        outputs: Tensor indices of the graph outputs.
        copies: Tensors that hold channels several times, see ``graph.channel_splitting``.
    """

    def __init__(
        self, model: schema.ModelT, origin: str = "model", copies: Copies | None = None
    ) -> None:
        """Index ``model``; ``origin`` names it in errors."""
        self.model = model
        self.origin = origin
        self.copies = {} if copies is None else copies
        subgraph = model.subgraphs[0]
        self.subgraph = subgraph
        computed = {int(i) for i in subgraph.inputs}
        for stored in subgraph.operators or []:
            computed.update(() if stored.outputs is None else (int(i) for i in stored.outputs))
        self.tensors = [self._tensor(i, t, i in computed) for i, t in enumerate(subgraph.tensors)]
        self.operators = [self._operator(i, o) for i, o in enumerate(subgraph.operators or [])]
        self.inputs = tuple(int(i) for i in subgraph.inputs)
        self.outputs = tuple(int(i) for i in subgraph.outputs)
        self._producer: dict[int, Operator] = {}
        self._consumers: dict[int, list[Operator]] = defaultdict(list)
        for operator in self.operators:
            for index in operator.outputs:
                self._producer[index] = operator
            for index in set(operator.inputs):
                if index >= 0:
                    self._consumers[index].append(operator)

    @classmethod
    def from_bytes(cls, data: bytes, origin: str = "model") -> Graph:
        """Parse the content of a ``.tflite`` file.

        Raises:
            ModelError: The bytes are no intact TFLite flatbuffer, or its tables contradict each
                other.
        """
        model = schema.parse(data, origin)
        check_consistent(model, origin)
        return cls(model, origin)

    def producer(self, tensor: int) -> Operator | None:
        """The operator that writes ``tensor``; ``None`` for graph inputs and constants."""
        return self._producer.get(tensor)

    def signature(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor with -1 for dynamic dimensions."""
        shape = self.tensors[tensor].shape
        stored = self.subgraph.tensors[tensor].shapeSignature
        if stored is not None and len(stored) == len(shape):
            return tuple(int(size) for size in stored)
        return shape

    def consumers(self, tensor: int) -> list[Operator]:
        """The operators that read ``tensor``, in execution order."""
        return self._consumers.get(tensor, [])

    def constant(self, tensor: int) -> npt.NDArray[Any]:
        """Values of a constant tensor as a read-only array of its shape.

        Those of a sparse tensor are unpacked; 4-bit codes come as int8.

        Raises:
            ModelError: The buffer does not hold as many bytes as the shape needs.
        """
        stored = self.subgraph.tensors[tensor]
        view = self.tensors[tensor]
        dtype = _DTYPES.get(view.type_name)
        if dtype is None:
            raise ModelError(
                f"{self.origin}: constant '{view.name}' has type {view.type_name}, which this "
                "tool cannot read"
            )
        data = self.model.buffers[stored.buffer].data
        # Not copied, as far as its bytes are where values of its type may be.
        raw = np.zeros(0, np.uint8) if data is None else np.ascontiguousarray(data, np.uint8)
        count = int(np.prod(view.shape, dtype=np.int64))
        values = np.frombuffer(raw, dtype)
        values = values if values.flags.aligned else values.copy()
        values.flags.writeable = False
        if view.type_name == "INT4":
            values = _nibbles(values, count)
        if stored.sparsity is not None:
            return dense_values(stored.sparsity, view.shape, values)
        if values.size != count:
            raise ModelError(
                f"{self.origin}: constant '{view.name}' of shape {list(view.shape)} has "
                f"{values.size} values stored; the file is truncated or corrupt"
            )
        return values.reshape(view.shape)

    def _tensor(self, index: int, stored: schema.TensorT, is_computed: bool) -> Tensor:
        buffer = self.model.buffers[stored.buffer]
        has_data = buffer.data is not None and len(buffer.data) > 0
        shape = tuple(int(d) for d in stored.shape) if stored.shape is not None else ()
        signature = stored.shapeSignature
        return Tensor(
            index=index,
            name=(stored.name or b"").decode(),
            type_name=schema.tensor_type_names()[stored.type],
            shape=shape,
            dynamic=signature is not None and any(int(d) < 0 for d in signature),
            is_constant=has_data or (0 in shape and not is_computed),
        )

    def _operator(self, index: int, stored: schema.OperatorT) -> Operator:
        code = self.model.operatorCodes[stored.opcodeIndex]
        return Operator(
            index=index,
            kind=schema.operator_kind(code),
            inputs=tuple(int(i) for i in stored.inputs) if stored.inputs is not None else (),
            outputs=tuple(int(i) for i in stored.outputs) if stored.outputs is not None else (),
            options=stored.builtinOptions,
        )


def _nibbles(packed: npt.NDArray[np.int8], count: int) -> npt.NDArray[np.int8]:
    """Signed 4-bit codes, of which each byte has two, the first one in its lower half."""
    codes: npt.NDArray[np.int8] = np.stack([packed << 4, packed], axis=-1).reshape(-1) >> 4
    return codes[:count]
