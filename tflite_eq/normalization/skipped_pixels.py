"""SAME padding that pads nothing, of windows that step further than they reach.

Where the last window ends before the image does, XNNPACK of TensorFlow up to 2.19 takes what is
left over for padding below zero, reads beside the image, and computes other values than TFLite's
own kernels do, in float and in int8. The same windows without padding are computed rightly.
"""

from __future__ import annotations

from tflite_eq.graph import schema
from tflite_eq.graph.linear import is_same_padding
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"})


def unpadded(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these convolutions and pools said to pad nothing.

    Those that pad one axis and step over pixels of the other stay as they are.
    """
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        if operator.kind not in _CONVOLUTIONS | _POOLS or not is_same_padding(operator):
            continue
        axes = _axes(graph, operator)
        steps_over = any(window < stride for _, window, stride in axes)
        # Windows of single pixels are computed rightly either way, in ResNets for one.
        is_wider = any(window > 1 for _, window, _ in axes)
        if steps_over and is_wider and all(_pads_nothing(*axis) for axis in axes):
            rewrite.set_options(operator, padding=schema.schema().Padding.VALID)
            count += 1
    if not count:
        return graph, None
    change = f"SAME padding of nothing by {counted(count, 'convolution or pool')} left out"
    return rewrite.graph(), change.replace("or pools", "and pools")


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


def _pads_nothing(size: int, window: int, stride: int) -> bool:
    """Whether the last window of an axis ends inside it."""
    if size < 0:
        return window == 1
    return (-(-size // stride) - 1) * stride + window <= size
