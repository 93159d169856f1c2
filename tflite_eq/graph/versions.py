"""Versions of operators: what tells an old runtime that it lacks a kernel.

TFLite raises an operator's version when a kernel learns something, and runtimes refuse versions
they do not know. A file that claims version 1 for int8 operators would be taken by a runtime that
cannot run it. The rules are those of ``GetBuiltinOperatorVersion`` for int8 tensors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import CONVERSIONS, INT8_KERNELS

# Metadata with the least runtime that has every operator of the model: text, filled up with zeros.
MIN_RUNTIME_VERSION = b"min_runtime_version"
_MIN_RUNTIME_BYTES = 16


def set_int8_versions(graph: Graph) -> None:
    """Give operator codes the versions that their int8 operators need, in place.

    As from TensorFlow's converter, operators of the same kind that stay in float share the version.
    """
    codes = graph.model.operatorCodes
    needed: dict[int, int] = {}
    for operator in graph.operators:
        position = graph.subgraph.operators[operator.index].opcodeIndex
        version = int8_version(graph, operator) or codes[position].version
        needed[position] = max(version, needed.get(position, 1))
    for position, version in needed.items():
        codes[position].version = version


def int8_version(graph: Graph, operator: Operator) -> int | None:
    """The version that an operator on int8 tensors needs; None for any other operator."""
    tensors = (*operator.inputs, *operator.outputs)
    if not any(i >= 0 and graph.tensors[i].type_name == "INT8" for i in tensors):
        return None
    if operator.kind in CONVERSIONS:
        return min(CONVERSIONS[operator.kind])
    kernel = INT8_KERNELS.get(operator.kind)
    if kernel is None:
        return None
    rule = _RULES.get(operator.kind)
    return max(kernel.version, rule(graph, operator)) if rule else kernel.version


def raise_min_runtime_version(graph: Graph) -> None:
    """Raise what the metadata claim about runtimes to what the int8 operators need, in place.

    A model without the claim is left without: what its float operators need is not known here.
    """
    entries = {entry.name: entry for entry in graph.model.metadata or []}
    if MIN_RUNTIME_VERSION not in entries:
        return
    needed = ["0"]
    for operator in graph.operators:
        version = int8_version(graph, operator)
        if version is not None:
            kernel = INT8_KERNELS.get(operator.kind)
            runtimes = CONVERSIONS[operator.kind] if kernel is None else kernel.runtimes
            needed.append(runtimes[version])
    buffer = entries[MIN_RUNTIME_VERSION].buffer
    data = graph.model.buffers[buffer].data
    claimed = b"" if data is None else np.asarray(data, np.uint8).tobytes()
    needed.append(claimed.rstrip(b"\0").decode(errors="replace"))
    replaced = schema.schema().BufferT()
    text = max(needed, key=_comparable).encode().ljust(_MIN_RUNTIME_BYTES, b"\0")
    replaced.data = np.frombuffer(text, np.uint8)
    graph.model.buffers[buffer] = replaced


def _comparable(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _multiplication(graph: Graph, operator: Operator) -> int:
    """Whether products may be worth a code of the output or more, which early kernels refused."""
    first, second, product = (
        float(graph.subgraph.tensors[index].quantization.scale[0])
        for index in (*operator.inputs, *operator.outputs)
    )
    return 3 if first * second / product >= 1 else 0


def _convolution(graph: Graph, operator: Operator) -> int:
    activation, filters, _ = properties.linear_inputs(operator)
    grouped = graph.tensors[activation].shape[-1] != graph.tensors[filters].shape[-1]
    return 6 if grouped else 0


def _dense(graph: Graph, operator: Operator) -> int:
    if len(operator.inputs) == 2:
        return 6
    return 5 if operator.options.keepNumDims else 0


def _transpose_convolution(graph: Graph, operator: Operator) -> int:
    if properties.fused_activation(operator) != "NONE":
        return 4
    return 3 if properties.linear_inputs(operator)[2] >= 0 else 0


def _strided_slice(graph: Graph, operator: Operator) -> int:
    options = operator.options
    if getattr(options, "offset", False):
        return 8
    if options.ellipsisMask or options.newAxisMask:
        return 6
    return 4 if _rank(graph, operator.inputs[0]) > 4 else 0


def _transpose(graph: Graph, operator: Operator) -> int:
    rank = _rank(graph, operator.inputs[0])
    return 6 if rank > 5 else 4 if rank > 4 else 0


def _resize_bilinear(graph: Graph, operator: Operator) -> int:
    return 3 if operator.options.halfPixelCenters else 0


def _resize_nearest(graph: Graph, operator: Operator) -> int:
    return 3 if operator.options.halfPixelCenters or operator.options.alignCorners else 0


def _broadcast(graph: Graph, operator: Operator) -> int:
    shapes = [graph.tensors[index].shape for index in operator.inputs]
    return 3 if shapes[0] != shapes[1] and max(map(len, shapes)) > 4 else 0


def _above_rank_4(version: int) -> Callable[[Graph, Operator], int]:
    return lambda graph, operator: version if _rank(graph, operator.inputs[0]) > 4 else 0


def _rank(graph: Graph, tensor: int) -> int:
    return len(graph.tensors[tensor].shape)


_RULES: dict[str, Callable[[Graph, Operator], int]] = {
    "BATCH_TO_SPACE_ND": lambda graph, o: 3 if _rank(graph, o.inputs[0]) != 4 else 0,
    "CONV_2D": _convolution,
    "FULLY_CONNECTED": _dense,
    "GATHER": lambda graph, operator: 5 if operator.options.batchDims else 0,
    "MAXIMUM": _broadcast,
    "MINIMUM": _broadcast,
    "MUL": _multiplication,
    "PAD": _above_rank_4(4),
    "PADV2": _above_rank_4(4),
    "RESIZE_BILINEAR": _resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "SELECT": lambda graph, o: 3 if any(_rank(graph, i) == 5 for i in o.inputs) else 0,
    "SLICE": _above_rank_4(5),
    "SPACE_TO_BATCH_ND": lambda graph, o: 3 if _rank(graph, o.inputs[0]) != 4 else 0,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _broadcast,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_convolution,
}
