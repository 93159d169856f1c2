"""Dilated convolutions that converters write between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND.

The block cuts the padded input into interleaved phases, each of which is convolved by itself: with
a dilation of the block's size, one convolution does the same. Cropping takes rows off the result
as padding adds rows, one for one, at least while there is padding left to take off.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tflite_eq.graph import schema
from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.linear import is_same_padding
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})

# They compute value by value, and with one constant for each channel at most.
_ELEMENTWISE = frozenset(
    """
    ABS ADD DIV ELU GELU HARD_SWISH LEAKY_RELU LOGISTIC MUL PRELU RELU RELU6 RELU_0_TO_1
    RELU_N1_TO_1 SUB TANH
    """.split()
)
# Only the channels of a tensor [N, H, W, C] are told apart.
_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class _Match:
    """The operators of one dilated convolution.

    Attributes:
        start: SPACE_TO_BATCH_ND.
        chain: The convolution and elementwise operators behind it.
        end: BATCH_TO_SPACE_ND.
        dilation: Along height and width.
        padding: Zeros before and after height and width.
    """

    start: Operator
    chain: tuple[Operator, ...]
    end: Operator
    dilation: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]


def dilated(graph: Graph) -> tuple[Graph, str | None]:
    """The network with dilated convolutions, behind a PAD where they pad."""
    rewrite = Rewrite(graph)
    matches = [found for o in graph.operators if (found := _match(graph, o)) is not None]
    for match in matches:
        _apply(graph, rewrite, match)
    if not matches:
        return graph, None
    count = counted(len(matches), "convolution")
    change = f"SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND around {count} made its dilation"
    return without_dead_ends(rewrite.graph()), change


def _match(graph: Graph, conv: Operator) -> _Match | None:
    """What belongs to a convolution, if it is one on phases."""
    start = graph.producer(conv.inputs[0]) if conv.kind in _CONVOLUTIONS else None
    if start is None or start.kind != "SPACE_TO_BATCH_ND":
        return None
    if (conv.options.strideH, conv.options.strideW) != (1, 1):
        return None
    chain = _chain(graph, conv)
    end = _only_reader(graph, chain[-1].outputs[0])
    if end is None or end.kind != "BATCH_TO_SPACE_ND":
        return None
    block, pads = (_amounts(graph, index) for index in start.inputs[1:3])
    other_block, crops = (_amounts(graph, index) for index in end.inputs[1:3])
    if block is None or pads is None or crops is None or block != other_block or len(block) != 2:
        return None
    inner = conv.options.dilationHFactor, conv.options.dilationWFactor
    padding = []
    for axis in range(2):
        before, after = (pads[2 * axis + side] - crops[2 * axis + side] for side in range(2))
        if is_same_padding(conv):
            kernel = graph.tensors[conv.inputs[1]].shape[1 + axis]
            total = (kernel - 1) * inner[axis]
            before += total // 2 * block[axis]
            after += (total - total // 2) * block[axis]
        if before < 0 or after < 0:
            return None
        padding.append((before, after))
    dilation = block[0] * inner[0], block[1] * inner[1]
    return _Match(start, chain, end, dilation, (padding[0], padding[1]))


def _chain(graph: Graph, conv: Operator) -> tuple[Operator, ...]:
    """A convolution and the elementwise operators behind it that nothing else looks into."""
    chain = [conv]
    while True:
        reader = _only_reader(graph, chain[-1].outputs[0])
        if reader is None or not _is_elementwise(graph, reader, chain[-1].outputs[0]):
            return tuple(chain)
        chain.append(reader)


def _only_reader(graph: Graph, tensor: int) -> Operator | None:
    readers = graph.consumers(tensor)
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None


def _is_elementwise(graph: Graph, operator: Operator, source: int) -> bool:
    if operator.kind not in _ELEMENTWISE or len(operator.outputs) != 1:
        return False
    others = [graph.tensors[index] for index in operator.inputs if index != source]
    return operator.inputs.count(source) == 1 and all(
        other.is_constant and all(size == 1 for size in ((1,) * 4 + other.shape)[-4:-1])
        for other in others
    )


def _amounts(graph: Graph, tensor: int) -> list[int] | None:
    """Values of a constant, one after the other."""
    if not graph.tensors[tensor].is_constant:
        return None
    return [int(value) for value in graph.constant(tensor).flat]


def _apply(graph: Graph, rewrite: Rewrite, match: _Match) -> None:
    conv, *others = match.chain
    result = match.end.outputs[0]
    source = match.start.inputs[0]
    if match.padding != ((0, 0), (0, 0)):
        source = _padded(graph, rewrite, match)
    rewrite.set_options(
        conv,
        padding=schema.schema().Padding.VALID,
        dilationHFactor=match.dilation[0],
        dilationWFactor=match.dilation[1],
    )
    shape, signature = graph.tensors[result].shape, graph.signature(result)
    for operator in match.chain[:-1]:
        made = operator.outputs[0]
        channels = graph.tensors[made].shape[_CHANNELS]
        rewrite.set_shape(
            made, _with_channels(shape, channels), _with_channels(signature, channels)
        )
    inputs = [source, *conv.inputs[1:]]
    rewrite.connect(conv, inputs, None if others else [result])
    if others:
        rewrite.connect(others[-1], outputs=[result])
    rewrite.remove(match.end)


def _padded(graph: Graph, rewrite: Rewrite, match: _Match) -> int:
    """The input of the convolution with zeros around it."""
    amounts = [(0, 0), *match.padding, (0, 0)]
    source = match.start.inputs[0]
    name = graph.tensors[match.chain[0].outputs[0]].name
    shape = [size + sum(zeros) for size, zeros in zip(graph.tensors[source].shape, amounts)]
    signature = [
        size if size < 0 else size + sum(zeros)
        for size, zeros in zip(graph.signature(source), amounts)
    ]
    padded = rewrite.add_tensor(source, f"{name}/padded")
    rewrite.set_shape(padded, shape, signature)
    constant = rewrite.add_constant(f"{name}/padding", np.array(amounts, np.int32))
    rewrite.add(match.start, "PAD", [source, constant], [padded], ("PadOptions", {}))
    return padded


def _with_channels(shape: Sequence[int], channels: int) -> list[int]:
    return [*shape[:_CHANNELS], channels]
