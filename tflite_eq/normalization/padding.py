"""PAD in front of a convolution that pads nothing itself, where SAME padding is the very same.

Kernels of the int8 network then pad on their way through the input, and no copy of it is made.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph import schema
from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.linear import is_same_padding
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def fused(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these convolutions padding by themselves."""
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        if operator.kind not in _CONVOLUTIONS or is_same_padding(operator):
            continue
        pad = graph.producer(operator.inputs[0])
        if pad is None or not _is_same(graph, pad, operator):
            continue
        rewrite.set_options(operator, padding=schema.schema().Padding.SAME)
        rewrite.connect(operator, [pad.inputs[0], *operator.inputs[1:]])
        count += 1
    if not count:
        return graph, None
    change = f"PAD in front of {counted(count, 'convolution')} made SAME padding"
    return without_dead_ends(rewrite.graph()), change


def _is_same(graph: Graph, pad: Operator, conv: Operator) -> bool:
    """Whether an operator in front of a convolution pads as SAME padding would."""
    amounts = _zeros(graph, pad)
    if amounts is None or len(amounts) != 4 or any(amounts[0]) or any(amounts[3]):
        return False
    options = conv.options
    kernel = graph.tensors[conv.inputs[1]].shape[1:3]
    steps = zip(
        (options.strideH, options.strideW), (options.dilationHFactor, options.dilationWFactor)
    )
    sizes = graph.signature(pad.inputs[0])[1:3]
    return all(
        pads_equally(size, around, (k - 1) * dilation + 1, stride)
        for size, around, k, (stride, dilation) in zip(sizes, amounts[1:3], kernel, steps)
    )


def pads_equally(size: int, around: tuple[int, int], window: int, stride: int) -> bool:
    """Whether SAME padding of one axis puts as many zeros in front and gives as many results.

    What either puts behind may differ only by zeros that no window reaches.

    Args:
        size: Size of the axis, -1 if it is open.
        around: Zeros that PAD puts in front and behind.
        window: Extent of the filter, gaps of its dilation included.
        stride: Step from one result to the next.
    """
    if size < 0:
        return stride == 1 and around == ((window - 1) // 2, window - 1 - (window - 1) // 2)
    results = -(-size // stride)
    total = max((results - 1) * stride + window - size, 0)
    return around[0] == total // 2 and (size + sum(around) - window) // stride + 1 == results


def _zeros(graph: Graph, pad: Operator) -> list[tuple[int, int]] | None:
    """How many zeros an operator puts around each dimension, if that is what it does."""
    found = padding_of(graph, pad)
    return found[0] if found is not None and found[1] == 0 else None


def padding_of(graph: Graph, pad: Operator) -> tuple[list[tuple[int, int]], float] | None:
    """How much an operator puts around each dimension and of which value; None if it does not."""
    if pad.kind not in ("PAD", "PADV2") or not graph.tensors[pad.inputs[1]].is_constant:
        return None
    value = 0.0
    if pad.kind == "PADV2":
        stored = graph.tensors[pad.inputs[2]]
        if not stored.is_constant or int(np.prod(stored.shape)) != 1:
            return None
        value = float(graph.constant(pad.inputs[2]).item())
    amounts = [(int(before), int(after)) for before, after in graph.constant(pad.inputs[1])]
    return amounts, value
