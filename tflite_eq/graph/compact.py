"""Dropping what edits have left unused in a flatbuffer."""

from __future__ import annotations

from tflite_eq.graph import schema


def drop_unused_buffers(model: schema.ModelT) -> None:
    """Remove buffers that nothing refers to; buffer 0 stays the empty one by convention."""
    owners = [t for subgraph in model.subgraphs for t in subgraph.tensors]
    owners += list(model.metadata or [])
    used = sorted({0, *(owner.buffer for owner in owners), *_metadata_buffers(model)})
    position = {old: new for new, old in enumerate(used)}
    for owner in owners:
        owner.buffer = position[owner.buffer]
    if model.metadataBuffer is not None:
        model.metadataBuffer = [position[int(i)] for i in model.metadataBuffer]
    model.buffers = [model.buffers[i] for i in used]


def drop_unused_codes(model: schema.ModelT) -> None:
    """Remove operator codes that no operator has: a runtime refuses models for those it lacks.

    Operators are changed in place.
    """
    operators = [o for subgraph in model.subgraphs for o in subgraph.operators or []]
    used = sorted({int(operator.opcodeIndex) for operator in operators})
    position = {old: new for new, old in enumerate(used)}
    for operator in operators:
        operator.opcodeIndex = position[int(operator.opcodeIndex)]
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def drop_unused_tensors(subgraph: schema.SubGraphT, model: schema.ModelT) -> None:
    """Remove tensors that no operator, input, output or signature refers to."""
    used: set[int] = set()
    for indices in _tensor_lists(subgraph):
        used.update(int(i) for i in indices if int(i) >= 0)
    entries = [
        entry
        for definition in model.signatureDefs or []
        for entry in [*(definition.inputs or []), *(definition.outputs or [])]
    ]
    used.update(int(entry.tensorIndex) for entry in entries)
    position = {old: new for new, old in enumerate(sorted(used))}
    position[-1] = -1
    subgraph.tensors = [subgraph.tensors[i] for i in sorted(used)]
    subgraph.inputs = [position[int(i)] for i in subgraph.inputs]
    subgraph.outputs = [position[int(i)] for i in subgraph.outputs]
    for operator in subgraph.operators:
        for field in ("inputs", "outputs", "intermediates"):
            indices = getattr(operator, field)
            if indices is not None:
                setattr(operator, field, [position[int(i)] for i in indices])
    for entry in entries:
        entry.tensorIndex = position[int(entry.tensorIndex)]


def _metadata_buffers(model: schema.ModelT) -> list[int]:
    return [int(i) for i in model.metadataBuffer] if model.metadataBuffer is not None else []


def _tensor_lists(subgraph: schema.SubGraphT) -> list[list[int]]:
    lists = [list(subgraph.inputs), list(subgraph.outputs)]
    for operator in subgraph.operators:
        for indices in (operator.inputs, operator.outputs, operator.intermediates):
            if indices is not None:
                lists.append(list(indices))
    return lists
