"""Dilated convolutions that converters write between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND.

The block cuts the padded input into interleaved phases, each of which is convolved by itself: with
a dilation of the block's size, one convolution does the same. Cropping takes rows off the result
as padding adds rows, one for one, at least while there is padding left to take off.

Signals of one dimension are phases [N, W, C], to which the convolution alone adds a height of 1.
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
_ADDS_DIMENSION = frozenset({"EXPAND_DIMS", "RESHAPE"})
_TAKES_DIMENSION = frozenset({"RESHAPE", "SQUEEZE"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """The operators of one dilated convolution.

    Attributes:
        start: SPACE_TO_BATCH_ND.
        widening: What adds a dimension in front of the convolution; ``None`` for images.
        chain: The convolution and elementwise operators behind it, and what takes the dimension
            out again.
        end: BATCH_TO_SPACE_ND.
        added: Position of the added dimension.
        dilation: Along height and width.
        padding: Zeros before and after height and width.
    """

    start: Operator
    widening: Operator | None
    chain: tuple[Operator, ...]
    end: Operator
    added: int | None
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
    if conv.kind not in _CONVOLUTIONS or (conv.options.strideH, conv.options.strideW) != (1, 1):
        return None
    start, widening, added = graph.producer(conv.inputs[0]), None, None
    if start is not None and start.kind in _ADDS_DIMENSION:
        widening, start = start, graph.producer(start.inputs[0])
        added = _added_dimension(graph, widening.inputs[0], widening.outputs[0])
        if added is None or _only_reader(graph, widening.outputs[0]) is not conv:
            return None
    if start is None or start.kind != "SPACE_TO_BATCH_ND":
        return None
    chain = _chain(graph, conv, added)
    end = _only_reader(graph, chain[-1].outputs[0])
    if end is None or end.kind != "BATCH_TO_SPACE_ND":
        return None
    if len(graph.tensors[end.inputs[0]].shape) != (4 if added is None else 3):
        return None
    block, pads = (_amounts(graph, index) for index in start.inputs[1:3])
    other_block, crops = (_amounts(graph, index) for index in end.inputs[1:3])
    if block is None or pads is None or crops is None or block != other_block:
        return None
    if added is not None:  # a block of 1 along it
        at = added - 1
        block.insert(at, 1)
        for amounts in (pads, crops):
            amounts[2 * at : 2 * at] = [0, 0]
    if len(block) != 2:
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
    return _Match(start, widening, chain, end, added, dilation, (padding[0], padding[1]))


def _added_dimension(graph: Graph, narrow: int, wide: int) -> int | None:
    """Position of the one dimension of size 1 that a tensor [N, H, W, C] has and another has not.

    ``None`` if there is none between batch and channels, or if it cannot be told which it is.
    """
    shape, wider = graph.tensors[narrow].shape, list(graph.tensors[wide].shape)
    if len(wider) != 4 or len(shape) != 3:
        return None
    found = [at for at in (1, 2) if wider[at] == 1 and (*wider[:at], *wider[at + 1 :]) == shape]
    return found[0] if len(found) == 1 else None


def _chain(graph: Graph, conv: Operator, added: int | None) -> tuple[Operator, ...]:
    """A convolution and the operators behind it that nothing else looks into."""
    chain = [conv]
    while True:
        source = chain[-1].outputs[0]
        reader = _only_reader(graph, source)
        if reader is None:
            return tuple(chain)
        takes_dimension = added is not None and reader.kind in _TAKES_DIMENSION
        if takes_dimension:
            if _added_dimension(graph, reader.outputs[0], source) != added:
                return tuple(chain)
        elif not _is_elementwise(graph, reader, source):
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
    if match.widening is not None:
        source = _widened(graph, rewrite, match)
    if match.padding != ((0, 0), (0, 0)):
        source = _padded(graph, rewrite, match, source)
    rewrite.set_options(
        conv,
        padding=schema.schema().Padding.VALID,
        dilationHFactor=match.dilation[0],
        dilationWFactor=match.dilation[1],
    )
    shape, signature = graph.tensors[result].shape, graph.signature(result)
    for operator in match.chain[:-1]:
        made = operator.outputs[0]
        old = graph.tensors[made].shape
        is_wide = match.added is not None and len(old) == 4
        sizes = (_inserted(s, match.added) if is_wide else s for s in (shape, signature))
        rewrite.set_shape(made, *([*size[:-1], old[-1]] for size in sizes))
    rewrite.connect(conv, [source, *conv.inputs[1:]])
    for operator in others:
        if operator.kind in _TAKES_DIMENSION:
            options = {"squeezeDims": [match.added]}
            rewrite.replace(
                operator, "SQUEEZE", operator.inputs[:1], options=("SqueezeOptions", options)
            )
    rewrite.connect(match.chain[-1], outputs=[result])
    rewrite.remove(match.end)


def _widened(graph: Graph, rewrite: Rewrite, match: _Match) -> int:
    """The input with the dimension that the convolution needs."""
    assert match.widening is not None
    source, made = match.start.inputs[0], match.widening.outputs[0]
    name = f"{graph.tensors[made].name}/axis"
    axis = rewrite.add_constant(name, np.array([match.added], np.int32))
    rewrite.replace(
        match.widening, "EXPAND_DIMS", [source, axis], options=("ExpandDimsOptions", {})
    )
    shape, signature = graph.tensors[source].shape, graph.signature(source)
    rewrite.set_shape(made, *(_inserted(sizes, match.added) for sizes in (shape, signature)))
    return made


def _padded(graph: Graph, rewrite: Rewrite, match: _Match, source: int) -> int:
    """The input of the convolution with zeros around it."""
    amounts = [(0, 0), *match.padding, (0, 0)]
    name = graph.tensors[match.chain[0].outputs[0]].name
    given = match.start.inputs[0]
    shape, signature = (
        [size if size < 0 else size + sum(zeros) for size, zeros in zip(sizes, amounts)]
        for sizes in (
            _inserted(sizes, match.added) if match.widening is not None else sizes
            for sizes in (graph.tensors[given].shape, graph.signature(given))
        )
    )
    padded = rewrite.add_tensor(given, f"{name}/padded")
    rewrite.set_shape(padded, shape, signature)
    constant = rewrite.add_constant(f"{name}/padding", np.array(amounts, np.int32))
    place = match.widening or match.start
    rewrite.add(place, "PAD", [source, constant], [padded], ("PadOptions", {}))
    return padded


def _inserted(sizes: Sequence[int], position: int | None) -> list[int]:
    """Sizes with a 1 at a position."""
    assert position is not None
    return [*sizes[:position], 1, *sizes[position:]]
