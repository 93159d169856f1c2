"""The one signature of a model that is quantized.

Converters write a signature for every function that was exported, each in a subgraph of its own or
several over one. An int8 file has the scales of one, and calibration data are for one.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tflite_eq.errors import ConfigError
from tflite_eq.graph.consistency import check_consistent
from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.model import Graph
from tflite_eq.graph.subgraphs import with_main

# What TensorFlow calls the signature that serves if none is named.
DEFAULT = "serving_default"


def chosen(graph: Graph, name: str | None) -> tuple[Graph, str | None]:
    """The network of one signature alone.

    Args:
        graph: The network, of whatever signature its first subgraph is.
        name: The signature's; ``None`` takes the only one, or that which serves by default.

    Raises:
        ConfigError: There is none of that name, or several and no name is given.
    """
    definitions = graph.model.signatureDefs or []
    if name is None and not definitions:
        return graph, None
    definition = _definition(graph, definitions, name)
    is_only = len({_ends(graph, other) for other in definitions}) == 1
    if is_only and _ends(graph, definition) == (0, _set_of(graph.inputs), _set_of(graph.outputs)):
        return graph, None
    made = with_main(graph.model, definition.subgraphIndex)
    made.signatureDefs = [copy.deepcopy(definition)]
    made.signatureDefs[0].subgraphIndex = 0
    subgraph = made.subgraphs[0]
    for field in ("inputs", "outputs"):
        wanted = {int(entry.tensorIndex) for entry in getattr(definition, field) or []}
        kept = [int(index) for index in getattr(subgraph, field) if int(index) in wanted]
        setattr(subgraph, field, np.array(kept, np.int32))
    result = without_dead_ends(Graph(made, graph.origin))
    check_consistent(result.model, graph.origin)
    others = len(definitions) - 1
    return result, f"signature '{_key(definition)}' taken" + (f" of {others + 1}" if others else "")


def _set_of(indices: Any) -> frozenset[int]:
    return frozenset(int(index) for index in indices)


def _definition(graph: Graph, definitions: list[Any], name: str | None) -> Any:
    found = {_key(definition): definition for definition in definitions}
    if name is not None:
        if name not in found:
            known = f"has the signatures {_listed(found)}" if found else "has no signatures"
            remedy = "choose one of them" if found else "leave the option out"
            raise ConfigError(f"signature: {graph.origin} {known}, and not '{name}'; {remedy}")
        return found[name]
    if len({_ends(graph, definition) for definition in definitions}) == 1:
        return definitions[0]
    if DEFAULT in found:
        return found[DEFAULT]
    first = next(iter(found))
    raise ConfigError(
        f"signature: {graph.origin} has the signatures {_listed(found)}, and one is quantized at a "
        f"time; choose it, e.g. --signature {first} (in Python, Config(signature='{first}'))"
    )


def _ends(graph: Graph, definition: Any) -> tuple[int, frozenset[int], frozenset[int]]:
    """What a signature runs: subgraph, inputs and outputs."""
    inputs, outputs = (
        _set_of(entry.tensorIndex for entry in entries or [])
        for entries in (definition.inputs, definition.outputs)
    )
    return int(definition.subgraphIndex), inputs, outputs


def _key(definition: Any) -> str:
    return (definition.signatureKey or b"").decode()


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)
