"""PAD in front of MAX_POOL_2D with a value that the pool never takes.

PyTorch pads maxima with minus infinity, for which no int8 scale has a code. The kernel's own SAME
padding does the same and makes no copy. Where that lies elsewhere, as in front of a window of three
with stride two on an even size, zeros are as good behind a ReLU.
"""

from __future__ import annotations

import numpy as np

from tflite_eq.graph import properties, schema
from tflite_eq.graph.edit import without_dead_ends
from tflite_eq.graph.linear import is_same_padding
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.normalization.padding import padding_of, pads_equally
from tflite_eq.text import counted

# At most what exporters write for minus infinity; the least of float16 is -65504.
_NEVER_TAKEN = -3e4


def settled(graph: Graph) -> tuple[Graph, str | None]:
    """The network with such pools padding by themselves, or with zeros in front of them."""
    rewrite = Rewrite(graph)
    fused = zeros = 0
    for operator in graph.operators:
        pad = graph.producer(operator.inputs[0]) if operator.kind == "MAX_POOL_2D" else None
        found = None if pad is None else padding_of(graph, pad)
        if pad is None or found is None or is_same_padding(operator):
            continue
        amounts, value = found
        is_positive = properties.is_nonnegative(graph, pad.inputs[0])
        if not _has_pixels(operator, amounts) or not value <= (0 if is_positive else _NEVER_TAKEN):
            continue
        if _is_same(graph, pad, operator, amounts):
            rewrite.set_options(operator, padding=schema.schema().Padding.SAME)
            rewrite.connect(operator, [pad.inputs[0]])
            fused += 1
        elif is_positive and value < 0 and graph.consumers(pad.outputs[0]) == [operator]:
            zero = rewrite.add_constant(
                f"{graph.tensors[pad.outputs[0]].name}/zero", np.zeros((), np.float32)
            )
            rewrite.connect(pad, [*pad.inputs[:2], zero])
            zeros += 1
    changes = []
    if fused:
        changes.append(f"PAD in front of {counted(fused, 'MAX_POOL_2D')} made SAME padding")
    if zeros:
        changes.append(f"{counted(zeros, 'PADV2')} in front of MAX_POOL_2D made to pad with zeros")
    if not changes:
        return graph, None
    return without_dead_ends(rewrite.graph()), " and ".join(changes)


def _has_pixels(pool: Operator, amounts: list[tuple[int, int]]) -> bool:
    """Whether height and width alone are padded, and every window holds a pixel of the image."""
    if len(amounts) != 4 or any(amounts[0]) or any(amounts[3]):
        return False
    windows = (pool.options.filterHeight, pool.options.filterWidth)
    return all(max(around) < window for around, window in zip(amounts[1:3], windows))


def _is_same(graph: Graph, pad: Operator, pool: Operator, amounts: list[tuple[int, int]]) -> bool:
    """Whether SAME padding would put as many pixels at the same places."""
    options = pool.options
    sizes = graph.signature(pad.inputs[0])[1:3]
    windows = (options.filterHeight, options.filterWidth)
    return all(
        pads_equally(size, around, window, stride)
        for size, around, window, stride in zip(
            sizes, amounts[1:3], windows, (options.strideH, options.strideW)
        )
    )
