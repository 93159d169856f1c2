"""What two quantized files must have in common to compute the same."""

from __future__ import annotations

from typing import Any

from tests import running
from tests.oracles.backend_writer import Layout, write
from tests.oracles.mlir import quantized_by_mlir
from tflite_eq import Calibration
from tflite_eq.equalization.factors import with_factors
from tflite_eq.graph import properties, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.preparation import prepared
from tflite_eq.selection import skipped_operators


def layout(oracle: str) -> Layout:
    """The other quantizer of that name; LiteRT Quantizer need not be installed."""
    if oracle == "tensorflow":
        return quantized_by_mlir
    from tests.oracles.litert import quantized_by_litert

    return quantized_by_litert


def written_by(oracle: str, model: bytes, calibration: Calibration) -> bytes:
    """A record written with another quantizer's graph, with float inputs and outputs."""
    given = prepared(model, "net").front
    skipped = skipped_operators(given, calibration.config)
    graph = with_factors(given, calibration.equalization)
    return schema.serialize(
        write(graph, linear_layers(graph), calibration, skipped, layout(oracle))
    )


def laid_out_by_mlir(model: bytes, calibration: Calibration) -> bytes:
    """What TensorFlow's quantizer makes of a record's scales, nothing put in."""
    graph = prepared(model, "net").front
    params = {t.index: AffineParams(t.scale, t.zero_point) for t in calibration.tensors}
    return quantized_by_mlir(graph, params, set())


def operators(data: bytes, names: bool = True) -> list[str]:
    """Kind, version, activation and tensors of every operator, in an order of their own.

    ``names`` says whether tensors are told by their names.
    """
    graph = Graph.from_bytes(data)
    return sorted(
        repr(
            [
                operator.kind,
                _version(graph, operator.index),
                properties.fused_activation(operator),
                *(_described(graph, i, names) for i in (*operator.inputs, *operator.outputs)),
            ]
        )
        for operator in graph.operators
    )


def _version(graph: Graph, operator: int) -> int:
    position = graph.subgraph.operators[operator].opcodeIndex
    return int(graph.model.operatorCodes[position].version)


def _described(graph: Graph, index: int, names: bool) -> Any:
    if index < 0:
        return None
    tensor = graph.tensors[index]
    scales, zero_points = running.parameters(graph, index)
    values = graph.constant(index).tolist() if tensor.is_constant else None
    # They call constants and what they add in front of float operators as they like.
    is_added = (
        not names
        or tensor.is_constant
        or tensor.name.startswith("tfl.dequantize")
        or tensor.name.endswith("_dequant")
    )
    name = "" if is_added else tensor.name
    return name, tensor.type_name, tensor.shape, scales.tolist(), zero_points.tolist(), values
