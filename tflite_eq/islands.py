"""What a quantized network computes in float all the same, and what that costs, in sentences."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from tflite_eq.config import Config, Heads
from tflite_eq.graph.float_islands import kinds_of
from tflite_eq.graph.heads import head_operators
from tflite_eq.graph.int8_forms import SHAPE_READERS, lacking, without_int8_form
from tflite_eq.graph.masks import hiding_constants
from tflite_eq.graph.model import Graph
from tflite_eq.graph.subgraphs import layers_in_subgraphs
from tflite_eq.preparation import Prepared
from tflite_eq.selection import matched
from tflite_eq.text import counted


def sentences(network: Prepared, skipped: Set[int], config: Config) -> list[str]:
    """What stays in float without having been chosen, one sentence each; most often none.

    Args:
        network: The network.
        skipped: Operators of its front that stay in float.
        config: Options; what ``skip`` matches was chosen.
    """
    found = []
    needed = without_int8_form(network.front) - matched(network.front, config.skip)
    if needed:
        between = len(skipped - needed)
        beside = f", and {between} chosen or between them" if between else ""
        found.append(
            f"{counted(len(needed), 'operator')} without an int8 form "
            f"{'stays' if len(needed) == 1 else 'stay'} in float: "
            f"{kinds_of(network.front, needed)}{beside}. {_price(network.front, skipped)}"
        )
        found.extend(_reasons(network.front, needed))
    joining = head_operators(network.front) if config.heads is Heads.FLOAT else set()
    if joining:
        found.append(
            f"{kinds_of(network.front, joining)} in front of the outputs "
            f"{'joins' if len(joining) == 1 else 'join'} parts that have scales of their own "
            "(--heads joint gives them one for all, --heads split gives the parts out)"
        )
    if network.tail:
        whole = network.whole
        first = whole.operators[min(network.tail)].kind
        found.append(
            f"The installed runtime does not have {first}: it and what depends on it "
            f"({kinds_of(whole, network.tail)}) stay as they are, and were not run"
        )
    return found


def _reasons(graph: Graph, needed: Set[int]) -> list[str]:
    """Why operators stay in float of which others of the kind have an int8 form."""
    reasons = [lacking(graph, graph.operators[index]) for index in sorted(needed)]
    hiding = hiding_constants(graph)
    if hiding:
        listed = ", ".join(f"{value:.3g}" for value in hiding)
        reasons.append(
            f"{listed} stands for minus infinity in a mask: no int8 scale holds that beside "
            "what it is added to or chosen among"
        )
    inside = layers_in_subgraphs(graph.model)
    if inside:
        reasons.append(
            f"loops and branches run {counted(inside, 'layer')} with weights of their own "
            "as the float model does, which no share or figure here counts"
        )
    return list(dict.fromkeys(reason for reason in reasons if reason is not None))


def _price(graph: Graph, skipped: Set[int]) -> str:
    """Conversions at the borders, and the share of all values that are computed in float."""
    computed = {True: 0, False: 0}
    for operator in graph.operators:
        computed[operator.index in skipped] += sum(_size(graph, i) for i in operator.outputs)
    converted = [t.index for t in graph.tensors if _is_converted(graph, t.index, skipped)]
    values = sum(_size(graph, index) for index in converted)
    share = 100 * computed[True] / max(sum(computed.values()), 1)
    return (
        f"Their price: {counted(len(converted), 'conversion')} of {values:,} values, and "
        f"{share:.1f} % of all values computed in float"
    )


def _is_converted(graph: Graph, index: int, skipped: Set[int]) -> bool:
    """Whether a tensor is needed both as codes and as real values, inside the network."""
    producer = graph.producer(index)
    if producer is None or not graph.tensors[index].is_float:
        return False
    readers = [o for o in graph.consumers(index) if o.kind not in SHAPE_READERS]
    return any((o.index in skipped) != (producer.index in skipped) for o in readers)


def _size(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    return int(np.prod(tensor.shape, dtype=np.int64)) if tensor.is_float else 0
