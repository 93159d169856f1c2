"""How low the values of a tensor can get, whatever the network is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, dequantize

# Functions of one value whose int8 kernels round the exact result to the nearest code, so that it
# is never below the exact one by a code. (The kernel of HARD_SWISH computes with 16 bits.)
_EXACT = frozenset({"ELU", "GELU", "LEAKY_RELU"})


def floor_of(
    graph: Graph, writers: Iterable[Operator | None], params: Mapping[int, AffineParams]
) -> float | None:
    """The least real value that operators can write, <= 0; None if there is no telling.

    A ReLU writes nothing below 0. A function of a tensor with known codes writes nothing below its
    least value over these: what LEAKY_RELU leaves of the smallest code of its input, say.

    Args:
        graph: The float network.
        writers: The operators; None stands for something unknown.
        params: Scale and zero point of the tensors that have them already.
    """
    floor = 0.0
    for writer in writers:
        if writer is None:
            return None
        if properties.makes_nonnegative(writer):
            continue
        if writer.kind not in _EXACT or writer.inputs[0] not in params:
            return None
        codes = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)
        values = dequantize(codes, params[writer.inputs[0]])
        shape = (1, -1, *[1] * (len(graph.tensors[writer.inputs[0]].shape) - 2))
        written = OperatorRunner(graph, writer).run([values.reshape(shape)])[0]
        floor = min(floor, float(written.min()))
    return floor
