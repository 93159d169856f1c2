"""SAME padding that pads nothing, of windows that step further than they reach.

Where the last window ends before the image does, XNNPACK of TensorFlow up to 2.19 takes what is
left over for padding below zero, reads beside the image, and computes other values than TFLite's
own kernels do, in float and in int8. The same windows without padding are computed rightly.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph import schema
from tflite_eq.graph.linear import is_same_padding, padding_before
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.normalization.padding import steps_over
from tflite_eq.text import counted

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"})


def unpadded(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these convolutions and pools said to pad nothing.

    What a convolution pads along its other axis is padded in front of it then. Pools do not count
    what they pad; those that pad one axis and step over pixels of the other stay as they are.
    """
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        if operator.kind not in _CONVOLUTIONS | _POOLS or not is_same_padding(operator):
            continue
        axes = _axes(graph, operator)
        # Windows of single pixels are computed rightly either way, in ResNets for one.
        if not any(steps_over(*axis) for axis in axes) or all(window == 1 for _, window, _ in axes):
            continue
        if any(size < 0 and window > 1 for size, window, _ in axes):
            continue
        around = [_around(*axis) for axis in axes]
        is_padded = any(map(any, around))
        if is_padded and operator.kind in _POOLS:
            continue
        if is_padded:
            _pad_in_front(graph, rewrite, operator, around)
        else:
            rewrite.set_options(operator, padding=schema.schema().Padding.VALID)
        count += 1
    if not count:
        return graph, None
    changed = counted(count, "convolution or pool").replace("or pools", "and pools")
    return rewrite.graph(), f"SAME padding left out where {changed} step over pixels"


def _around(size: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros in front of and behind an axis that is padded to SAME."""
    if size < 0:  # a window of one pixel
        return 0, 0
    return padding_before(size, -(-size // stride), window, stride, 1, same=True)


def _pad_in_front(
    graph: Graph, rewrite: Rewrite, operator: Operator, around: list[tuple[int, int]]
) -> None:
    """Put zeros around height and width in front of a convolution, which pads nothing then."""
    source, (result,) = operator.inputs[0], operator.outputs
    name = f"{graph.tensors[result].name}/padded"
    amounts = [(0, 0), *around, (0, 0)]
    padded = rewrite.add_tensor(source, name)
    shape, signature = (
        [size if size < 0 else size + sum(zeros) for size, zeros in zip(sizes, amounts)]
        for sizes in (graph.tensors[source].shape, graph.signature(source))
    )
    rewrite.set_shape(padded, shape, signature)
    constant = rewrite.add_constant(f"{name}/amounts", np.array(amounts, np.int32))
    options = {**vars(operator.options), "padding": schema.schema().Padding.VALID}
    kind = type(operator.options).__name__.removesuffix("T")
    inputs = [padded, *operator.inputs[1:]]
    rewrite.remove(operator)
    rewrite.add(operator, "PAD", [source, constant], [padded], ("PadOptions", {}))
    rewrite.add(operator, operator.kind, inputs, [result], (kind, options))


def _axes(graph: Graph, operator: Operator) -> list[tuple[int, int, int]]:
    """Size, -1 if it is open, extent of the window, gaps included, and step of both axes."""
    options = operator.options
    sizes = graph.signature(operator.inputs[0])[1:3]
    if operator.kind in _POOLS:
        windows: tuple[int, ...] = (options.filterHeight, options.filterWidth)
    else:
        dilations = options.dilationHFactor, options.dilationWFactor
        kernel = graph.tensors[operator.inputs[1]].shape[1:3]
        windows = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations))
    return list(zip(sizes, windows, (options.strideH, options.strideW)))
