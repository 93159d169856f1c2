"""Changing a float network: a copy in which operators and constants are replaced or taken out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import compact, schema
from tflite_eq.graph.model import Graph, Operator


class Rewrite:
    """A network in the making that starts as a copy of another, which stays as it is.

    Tensors and operators are called by their positions in the network it starts from, however many
    have been taken out since: a tensor that ``bypass`` has replaced stands for the one in its
    place. Tensors that are added come behind them; what nothing refers to in the end is dropped.
    """

    def __init__(self, graph: Graph) -> None:
        """Start from ``graph``."""
        self._graph = graph
        self._model = copy.copy(graph.model)
        self._model.buffers = list(graph.model.buffers)
        self._model.operatorCodes = list(graph.model.operatorCodes)
        self._model.metadata = [copy.copy(entry) for entry in graph.model.metadata or []]
        self._model.signatureDefs = copy.deepcopy(graph.model.signatureDefs)
        self._subgraph = copy.copy(graph.subgraph)
        self._subgraph.tensors = [copy.copy(tensor) for tensor in graph.subgraph.tensors]
        self._subgraph.outputs = list(graph.outputs)
        self._subgraph.inputs = list(graph.inputs)
        self._model.subgraphs = [self._subgraph, *graph.model.subgraphs[1:]]
        # What stands at the place of each operator: nothing, itself, or others.
        self._placed = [[copy.copy(stored)] for stored in graph.subgraph.operators or []]
        self._replaced: dict[int, int] = {}
        self.changed = False

    def tensor(self, index: int) -> schema.TensorT:
        """A tensor as stored, to be changed in place; its lists are not to be."""
        self.changed = True
        return self._subgraph.tensors[index]

    def add_tensor(self, like: int, name: str, shape: Sequence[int] | None = None) -> int:
        """Add a tensor of another's type, and of its shape unless told otherwise.

        Returns:
            Its index.
        """
        made = copy.copy(self._subgraph.tensors[like])
        made.name, made.buffer, made.quantization, made.sparsity = name.encode(), 0, None, None
        if shape is not None:
            made.shape, made.shapeSignature = np.array(shape, np.int32), None
        return self._append(made)

    def set_shape(
        self, index: int, shape: Sequence[int], signature: Sequence[int] | None = None
    ) -> None:
        """Give a tensor another static shape, and the open dimensions that ``signature`` has."""
        stored = self.tensor(index)
        is_open = signature is not None and -1 in signature
        stored.shape = np.array(shape, np.int32)
        stored.shapeSignature = np.array(signature, np.int32) if is_open else None

    def add_constant(self, name: str, values: npt.NDArray[Any]) -> int:
        """Add a constant of float32, int32 or int64 values; gives its index."""
        made = schema.schema().TensorT()
        made.name = name.encode()
        return self.set_constant(self._append(made), values)

    def set_constant(self, index: int, values: npt.NDArray[Any]) -> int:
        """Make a tensor a constant, whatever it was; gives its index again."""
        generated = schema.schema()
        buffer = generated.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        stored = self.tensor(index)
        stored.buffer = len(self._model.buffers) - 1
        stored.type = getattr(generated.TensorType, values.dtype.name.upper())
        stored.shape, stored.shapeSignature = np.array(values.shape, np.int32), None
        stored.quantization = stored.sparsity = None
        return index

    def add_stored_tensor(self, stored: schema.TensorT) -> int:
        """Add a tensor of the object API as it is; gives its index."""
        return self._append(stored)

    def substitute(self, operator: Operator, stored: list[schema.OperatorT]) -> None:
        """Put operators of the object API as they are in the place of one."""
        self.changed = True
        self._placed[operator.index] = list(stored)

    def remove(self, operator: Operator) -> None:
        """Take an operator out. What read its results must read something else."""
        self.changed = True
        self._placed[operator.index] = []

    def replace(
        self,
        operator: Operator,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int] | None = None,
        options: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        """Put another builtin operator in the place of one.

        Args:
            operator: The operator.
            kind: Name of the other.
            inputs: Tensors that it reads.
            outputs: Tensors that it writes; those of the one it replaces if ``None``.
            options: Name of its options' class and their values, such as
                ``("LeakyReluOptions", {"alpha": 0.1})``.
        """
        self.remove(operator)
        self.add(operator, kind, inputs, operator.outputs if outputs is None else outputs, options)

    def add(
        self,
        place: Operator,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        """Add a builtin operator behind what stands in the place of another; see ``replace``."""
        self.changed = True
        generated = schema.schema()
        stored = generated.OperatorT()
        stored.opcodeIndex = self._code(getattr(generated.BuiltinOperator, kind))
        stored.inputs, stored.outputs = self._current(inputs), self._current(outputs)
        if options is not None:
            name, values = options
            stored.builtinOptionsType = getattr(generated.BuiltinOptions, name)
            stored.builtinOptions = getattr(generated, f"{name}T")()
            for field, value in values.items():
                setattr(stored.builtinOptions, field, value)
        self._placed[place.index].append(stored)

    def connect(
        self,
        operator: Operator,
        inputs: Sequence[int] | None = None,
        outputs: Sequence[int] | None = None,
    ) -> None:
        """Have an operator, which stays what it is, read or write other tensors."""
        self.changed = True
        (stored,) = self._placed[operator.index]
        if inputs is not None:
            stored.inputs = self._current(inputs)
        if outputs is not None:
            stored.outputs = self._current(outputs)

    def set_options(self, operator: Operator, **values: Any) -> None:
        """Change options of an operator, which stays what it is."""
        self.changed = True
        (stored,) = self._placed[operator.index]
        stored.builtinOptions = copy.copy(stored.builtinOptions)
        for field, value in values.items():
            setattr(stored.builtinOptions, field, value)

    def bypass(self, operator: Operator, source: int) -> None:
        """Take an operator out whose one result is ``source``, one of its inputs, unchanged.

        A result that is an output of the network keeps its name: whoever writes ``source`` writes
        it instead, unless ``source`` is an input or an output, too; then the operator stays.
        """
        (result,) = operator.outputs
        (source,) = self._current([source])
        if result in self._graph.outputs:
            producer = self._graph.producer(source)
            if producer is None or source in self._graph.outputs:
                return
            self._redirect(source, result)
        else:
            self._redirect(result, source)
        self.remove(operator)

    def graph(self) -> Graph:
        """The network as it has become, without what nothing refers to."""
        self._subgraph.operators = [stored for placed in self._placed for stored in placed]
        for stored in self._subgraph.operators:
            stored.inputs, stored.outputs = _indices(stored.inputs), _indices(stored.outputs)
        compact.drop_unused_tensors(self._subgraph, self._model)
        if len(self._model.subgraphs) == 1:  # the operators of others are not copies
            compact.drop_unused_codes(self._model)
        return Graph(self._model, self._graph.origin)

    def _redirect(self, old: int, new: int) -> None:
        """Have everything that refers to one tensor refer to another."""
        self.changed = True
        self._replaced[old] = new
        for placed in self._placed:
            for stored in placed:
                stored.inputs = [new if i == old else i for i in _indices(stored.inputs)]
                stored.outputs = [new if i == old else i for i in _indices(stored.outputs)]

    def _current(self, indices: Sequence[int]) -> list[int]:
        """The tensors that now stand for these."""
        found = []
        for index in _indices(indices):
            while index in self._replaced:
                index = self._replaced[index]
            found.append(index)
        return found

    def _append(self, stored: schema.TensorT) -> int:
        self.changed = True
        self._subgraph.tensors.append(stored)
        return len(self._subgraph.tensors) - 1

    def _code(self, builtin: int) -> int:
        """Index of the plain operator code of a builtin operator, made where there is none."""
        for index, code in enumerate(self._model.operatorCodes):
            if schema.builtin_code(code) == builtin:
                return index
        code = schema.schema().OperatorCodeT()
        code.builtinCode, code.version = builtin, 1
        code.deprecatedBuiltinCode = min(builtin, schema.LAST_DEPRECATED_CODE)
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]
