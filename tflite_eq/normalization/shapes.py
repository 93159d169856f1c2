"""Static shapes as the network really has them, where the file has placeholders for open ones.

A file says 1 for the open batch of every tensor, even behind SPACE_TO_BATCH_ND, where it is the
batch times the block; and for every size that the converter did not know. The installed runtime is
asked, for a batch of 1: nothing else knows all kernels' rules. Which dimensions are open stays as
it is.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np

from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.graph.edit import without_signatures
from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.trial import Job, Step, death

Shape = tuple[int, ...]

# Operators whose results have as many entries as their data happen to ask for.
_DATA_DEPENDENT = frozenset({"UNIQUE", "WHERE"})


def settled(graph: Graph) -> tuple[Graph, str | None]:
    """The network in which the static shape of every tensor is right for those of the inputs.

    Where a dimension turns out to depend on an open one of an input without being marked as open,
    it is marked. What cannot be run at these sizes stays as it is.
    """
    if not any(tensor.dynamic for tensor in graph.tensors):
        return graph, None
    inputs = [graph.tensors[index].shape for index in graph.inputs]
    probe = _Probe(graph)
    found = probe.shapes(inputs)
    if not found:
        return graph, None
    others = [probe.shapes(shapes) for shapes in _other_sizes(graph)]
    is_open = any(graph.tensors[index].dynamic for index in graph.inputs)
    depends_on_data = _behind(graph, _DATA_DEPENDENT)
    rewrite = Rewrite(graph)
    count = 0
    for index, shape in found.items():
        if index in depends_on_data or 0 in shape:
            continue
        signature = None
        if is_open:
            signature = _signature(graph, index, shape, [o[index] for o in others if index in o])
        declared = graph.tensors[index].shape, _stored_signature(graph, index)
        if (shape, signature) != declared:
            rewrite.set_shape(index, shape, signature)
            count += 1
    if not count:
        return graph, None
    sizes = ", ".join(str(list(shape)) for shape in inputs)
    return rewrite.graph(), f"shapes settled for an input of {sizes}"


def shapes_for(graph: Graph) -> dict[int, Shape]:
    """Shapes of the computed tensors for the inputs as they are; none if it cannot be run so."""
    return _Probe(graph).shapes([graph.tensors[index].shape for index in graph.inputs])


def _signature(graph: Graph, index: int, shape: Shape, elsewhere: Sequence[Shape]) -> Shape | None:
    """Open dimensions of a tensor as -1, ``None`` if there are none."""
    declared = graph.signature(index)
    if len(declared) != len(shape):
        declared = (-1,) * len(shape)  # the converter did not even know how many there are
    varies = [
        any(len(o) != len(shape) or o[i] != size for o in elsewhere) for i, size in enumerate(shape)
    ]
    signature = tuple(
        -1 if given < 0 or is_other else size
        for given, size, is_other in zip(declared, shape, varies)
    )
    return signature if -1 in signature else None


def _stored_signature(graph: Graph, index: int) -> Shape | None:
    stored = graph.subgraph.tensors[index].shapeSignature
    return None if stored is None else tuple(int(size) for size in stored)


def _other_sizes(graph: Graph) -> list[list[Shape]]:
    """Shapes of the inputs with their batches doubled, and with their other open sizes doubled."""
    signatures = [graph.signature(index) for index in graph.inputs]
    made = []
    for is_batch in (True, False):
        shapes = [
            tuple(
                size * 2 if given < 0 and (axis == 0) == is_batch else size
                for axis, (given, size) in enumerate(zip(signature, graph.tensors[index].shape))
            )
            for signature, index in zip(signatures, graph.inputs)
        ]
        if shapes != [graph.tensors[index].shape for index in graph.inputs]:
            made.append(shapes)
    return made


def _behind(graph: Graph, kinds: frozenset[str]) -> set[int]:
    """Tensors that depend on results of operators of these kinds."""
    found: set[int] = set()
    for operator in graph.operators:
        if operator.kind in kinds or found.intersection(operator.inputs):
            found.update(operator.outputs)
    return found


class _Probe:
    """The network on the installed runtime, but for custom operators and what is behind them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        custom = frozenset(o.kind for o in graph.operators if o.kind.startswith("CUSTOM:"))
        unknown = _behind(graph, custom)
        self._operators = [o for o in graph.operators if not unknown.intersection(o.outputs)]
        self._runtime = preferred_runtime()
        model = _part(graph, [o.index for o in self._operators])
        self._job = Job(model, Kernels.BUILTIN)

    def shapes(self, inputs: Sequence[Shape]) -> dict[int, Shape]:
        """Shapes of the computed tensors, for these of the inputs; none if it cannot be run."""
        if not self._survives(inputs, Step.ALLOCATE):
            return {}
        # A new one each time: one that makes room for larger tensors copies the room it had.
        session = Session(self._runtime.interpreter(self._job.model, self._job.kernels))
        try:
            session.allocate(inputs)
            if not all(self._is_allocated(session, i) for o in self._operators for i in o.outputs):
                if not self._survives(inputs, Step.INVOKE):
                    return {}
                session.feed([np.zeros(s, d["dtype"]) for d, s in zip(session.inputs, inputs)])
                session.invoke()
        except (BackendError, ValueError, RuntimeError):
            return {}
        shapes = {
            d["index"]: tuple(map(int, d["shape"]))
            for d in session.interpreter.get_tensor_details()
        }
        return {i: shapes[i] for o in self._operators for i in o.outputs if i in shapes}

    def _survives(self, inputs: Sequence[Shape], until: Step) -> bool:
        job = dataclasses.replace(self._job, inputs=inputs, until=until)
        return death(self._runtime, job) is None

    def _is_allocated(self, session: Session, tensor: int) -> bool:
        """Whether a tensor has its place, and thus its shape, before anything runs."""
        if self._graph.tensors[tensor].type_name == "STRING":
            return True  # runtimes read texts, before there are any, through a null pointer
        try:
            session.interpreter.tensor(tensor)()
        except ValueError:
            return False
        return True


def _part(graph: Graph, operators: Sequence[int]) -> bytes:
    """A model of some operators of the network, its tensors where they are."""
    model, subgraph = without_signatures(graph.model), copy.copy(graph.subgraph)
    subgraph.operators = [graph.subgraph.operators[index] for index in operators]
    written = {i for index in operators for i in graph.operators[index].outputs}
    outputs = [i for i in graph.outputs if i in written] or sorted(written)
    subgraph.outputs = np.array(outputs, np.int32)
    model.subgraphs = [subgraph, *model.subgraphs[1:]]
    return schema.serialize(model)
