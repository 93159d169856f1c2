"""Versions of operators: what tells an old runtime that it lacks a kernel.

TFLite raises an operator's version when its int8 kernel is added, and runtimes refuse versions they
do not know. A file that claims version 1 for int8 operators would be taken by a runtime that
cannot run it.
"""

from __future__ import annotations

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

_INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    **dict.fromkeys(
        """
        ADD AVERAGE_POOL_2D BATCH_TO_SPACE_ND CONCATENATION DEPTH_TO_SPACE DEQUANTIZE GATHER
        L2_NORMALIZATION LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
        MIRROR_PAD MUL PACK PAD PADV2 REDUCE_MAX REDUCE_MIN RELU RELU6 RESIZE_BILINEAR
        RESIZE_NEAREST_NEIGHBOR SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
        STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNPACK
        """.split(),
        2,
    ),
}


def set_int8_versions(graph: Graph) -> None:
    """Raise the versions of operators that read or write int8, in place.

    As from TensorFlow's quantizer, operators of the same kind that stay in float share the version.
    """
    for operator in graph.operators:
        tensors = (*operator.inputs, *operator.outputs)
        if any(i >= 0 and graph.tensors[i].type_name == "INT8" for i in tensors):
            stored = graph.subgraph.operators[operator.index]
            code = graph.model.operatorCodes[stored.opcodeIndex]
            code.version = max(code.version, _INT8_VERSIONS.get(schema.operator_kind(code), 1))
