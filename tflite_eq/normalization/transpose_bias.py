"""MediaPipe's transposed convolution with a bias, from before TFLite's own had one."""

from __future__ import annotations

import struct

import numpy as np

from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

KIND = "CUSTOM:Convolution2DTransposeBias"

# The start of ``TfLiteTransposeConvParams``, which the operator stores as it lies in memory:
# padding, stride along the width, stride along the height.
_PARAMETERS = struct.Struct("<3i")


def lowered(graph: Graph) -> tuple[Graph, str | None]:
    """The network with ``TRANSPOSE_CONV`` in their place, where sizes are fixed."""
    rewrite = Rewrite(graph)
    count = 0
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]] if operator.outputs else None
        if operator.kind != KIND or output is None or output.dynamic:
            continue
        source, filters, bias = operator.inputs
        shape = rewrite.add_constant(f"{output.name}/shape", np.array(output.shape, np.int32))
        padding, width, height = _parameters(graph, operator)
        options = {"padding": padding, "strideW": width, "strideH": height}
        rewrite.replace(
            operator,
            "TRANSPOSE_CONV",
            [shape, filters, source, bias],
            options=("TransposeConvOptions", options),
        )
        count += 1
    if not count:
        return graph, None
    return rewrite.graph(), f"{counted(count, 'Convolution2DTransposeBias operator')} lowered"


def _parameters(graph: Graph, operator: Operator) -> tuple[int, int, int]:
    """Padding as the schema counts it, and strides along width and height."""
    stored = graph.subgraph.operators[operator.index].customOptions
    data = b"" if stored is None else bytes(bytearray(stored))
    if len(operator.inputs) != 3 or len(data) < _PARAMETERS.size:
        raise ModelError(
            f"{graph.origin}: operator {operator.index} ({KIND}) has {len(operator.inputs)} inputs "
            f"and {len(data)} bytes of options, expected 3 and {_PARAMETERS.size} or more; the "
            "file is corrupt: write or download it again"
        )
    padding, width, height = _PARAMETERS.unpack_from(data)
    # In memory 1 is SAME and 2 VALID, and nothing else occurs.
    kinds = schema.schema().Padding
    return (kinds.VALID if padding == 2 else kinds.SAME), width, height
