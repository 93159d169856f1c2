"""Subgraphs that operators of others call: which are needed, and from where."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tflite_eq.graph import schema

# Options that hold positions of subgraphs have names with this in them, but for one.
_PART_OF_NAME = "subgraph"
_OTHER_NAME = "calledComputations"

_LAYERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})


def with_main(model: schema.ModelT, main: int) -> schema.ModelT:
    """A copy with one subgraph in front, and behind it only those that it calls.

    Signatures of other subgraphs are left out.
    """
    order = [main]
    for index in order:
        order += [i for i in called(model.subgraphs[index]) if i not in order]
    position = {old: new for new, old in enumerate(order)}
    made = copy.copy(model)
    made.subgraphs = [_renumbered(model.subgraphs[index], position) for index in order]
    made.signatureDefs = [
        copy.deepcopy(definition)
        for definition in model.signatureDefs or []
        if definition.subgraphIndex == main
    ]
    for definition in made.signatureDefs:
        definition.subgraphIndex = 0
    return made


def called(subgraph: schema.SubGraphT) -> list[int]:
    """Positions of the subgraphs that operators of one call, each once."""
    found = [
        index
        for operator in subgraph.operators or []
        for options in _options(operator)
        for field in _fields(options)
        for index in _positions(getattr(options, field))
    ]
    return list(dict.fromkeys(index for index in found if index >= 0))


def calls_itself(model: schema.ModelT) -> bool:
    """Whether a subgraph is among those that it runs, directly or through others."""
    pairs = [set(called(subgraph)) for subgraph in model.subgraphs]
    for number, reached in enumerate(pairs):
        waiting = list(reached)
        while waiting:
            more = pairs[waiting.pop()] - reached
            reached |= more
            waiting += more
        if number in reached:
            return True
    return False


def layers_in_subgraphs(model: schema.ModelT) -> int:
    """How many convolutions and dense layers all but the main subgraph have."""
    kinds = (
        schema.operator_kind(model.operatorCodes[operator.opcodeIndex])
        for body in model.subgraphs[1:]
        for operator in body.operators or []
    )
    return sum(kind in _LAYERS for kind in kinds)


def append_subgraphs(
    model: schema.ModelT, source: schema.ModelT, shares_buffers: bool = False
) -> None:
    """Put all but the main subgraph of a model behind the main one that was made from its own.

    At the same positions, with operator codes and tensors of their own, which may then be changed.

    Args:
        model: A model with one subgraph.
        source: The model.
        shares_buffers: Whether the former has begun with the latter's buffers; they are added if
            not.
    """
    codes, buffers = len(model.operatorCodes), 0
    model.operatorCodes += [copy.copy(code) for code in source.operatorCodes]
    if not shares_buffers:
        buffers = len(model.buffers)
        model.buffers += source.buffers
    for body in source.subgraphs[1:]:
        made = copy.copy(body)
        made.tensors = [copy.copy(tensor) for tensor in body.tensors or []]
        made.operators = [copy.copy(operator) for operator in body.operators or []]
        for operator in made.operators:
            operator.opcodeIndex += codes
        for tensor in made.tensors:
            tensor.buffer += buffers
        model.subgraphs.append(made)


def _renumbered(subgraph: schema.SubGraphT, position: dict[int, int]) -> schema.SubGraphT:
    made = copy.copy(subgraph)
    made.operators = [copy.copy(operator) for operator in subgraph.operators or []]
    for operator in made.operators:
        for name in ("builtinOptions", "builtinOptions2"):
            options = getattr(operator, name, None)
            fields = list(_fields(options)) if options is not None else []
            if not fields:
                continue
            renumbered = copy.copy(options)
            for field in fields:
                value = getattr(options, field)
                new = [position.get(index, index) for index in _positions(value)]
                setattr(renumbered, field, new[0] if isinstance(value, int) else new)
            setattr(operator, name, renumbered)
    return made


def _options(operator: schema.OperatorT) -> Iterator[Any]:
    for name in ("builtinOptions", "builtinOptions2"):
        options = getattr(operator, name, None)
        if options is not None:
            yield options


def _fields(options: Any) -> Iterator[str]:
    """Options that hold positions of subgraphs and are set."""
    for field, value in vars(options).items():
        names_one = _PART_OF_NAME in field.lower() or field == _OTHER_NAME
        if names_one and value is not None:
            yield field


def _positions(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else [int(index) for index in value]
