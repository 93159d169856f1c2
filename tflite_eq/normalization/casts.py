"""CAST of an input of 8-bit integers that other operators move first.

Behind the CAST they move real values, which they do on codes in the int8 network; in front of it
they would need kernels for integers without a scale, and the codes would have to be made of those.
"""

from __future__ import annotations

import copy

from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# They hand values on one by one, or put zeros between them.
_MOVERS = (properties.PICKS - {"MAX_POOL_2D"}) | {"PAD", "REVERSE_V2"}


def moved_first(graph: Graph) -> tuple[Graph, str | None]:
    """The network in which such inputs are made real values of before anything else."""
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        movers = _movers(graph, operator) if operator.kind == "CAST" else []
        if movers:
            _move(graph, rewrite, operator, movers)
            count += 1
    if not count:
        return graph, None
    return rewrite.graph(), f"CAST of {counted(count, 'input')} moved to the front"


def _movers(graph: Graph, cast: Operator) -> list[Operator]:
    """Operators between an input and its CAST that nothing else reads, the first one first."""
    if not graph.tensors[cast.outputs[0]].is_float:
        return []
    found: list[Operator] = []
    tensor = cast.inputs[0]
    while tensor not in graph.inputs:
        mover = graph.producer(tensor)
        is_read_once = len(graph.consumers(tensor)) == 1 and tensor not in graph.outputs
        if mover is None or mover.kind not in _MOVERS or not is_read_once:
            return []
        found.insert(0, mover)
        tensor = mover.inputs[0]
    is_raw = graph.tensors[tensor].type_name in properties.RAW_TYPES
    is_read_once = len(graph.consumers(tensor)) == 1
    return found if is_raw and is_read_once else []


def _move(graph: Graph, rewrite: Rewrite, cast: Operator, movers: list[Operator]) -> None:
    source = movers[0].inputs[0]
    name = f"{graph.tensors[source].name}/real"
    real = rewrite.add_tensor(cast.outputs[0], name)
    rewrite.set_shape(real, graph.tensors[source].shape, graph.signature(source))
    first, second = (copy.copy(graph.subgraph.operators[o.index]) for o in (cast, movers[0]))
    first.inputs, first.outputs = [source], [real]
    second.inputs = [real, *movers[0].inputs[1:]]
    rewrite.substitute(movers[0], [first, second])
    for mover in movers:
        rewrite.tensor(mover.outputs[0]).type = schema.schema().TensorType.FLOAT32
    rewrite.bypass(cast, cast.inputs[0])
