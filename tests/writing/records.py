"""Calibration records for float networks put together by hand, without calibrating."""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from typing import Any

import numpy as np

from tests.built_models import NetworkBuilder
from tflite_eq import Calibration, Config, IoType
from tflite_eq.config import Forms
from tflite_eq.graph import edit, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.numerics import weights
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.record import LayerRecord, TensorRecord
from tflite_eq.writing.writer import write

SCALE, ZERO_POINT = 0.05, -3


def record_of(graph: Graph, skipped: Set[int] = frozenset()) -> Calibration:
    """A record with one scale for all tensors but those of fixed ones."""
    layers = linear_layers(graph)
    groups = scale_groups(graph, layers, skipped)
    tensors = []
    for index in sorted(groups):
        fixed = groups[index].fixed
        scale, zero_point = (fixed.scale, fixed.zero_point) if fixed else (SCALE, ZERO_POINT)
        tensors.append(
            TensorRecord(
                index=index,
                name=graph.tensors[index].name,
                scale=scale,
                zero_point=zero_point,
                window=(-128, 127),
                saturates=True,
                observed=(-1.0, 1.0),
                start="minmax",
            )
        )
    records = [
        LayerRecord(
            index=index,
            name=layer.name,
            kind=layer.kind.value,
            input=layer.input,
            grid=WeightGrid.INT8.value,
            scales=weights.max_scales(layer.filters, WeightGrid.INT8).tolist(),
            gain=1.0,
            bias_correction=[],
            metrics={},
        )
        for index, layer in layers.items()
        if index not in skipped
    ]
    return Calibration("", "", "", 1, Config(forms=Forms.PLAIN), tensors, records)


def written(
    data: bytes,
    skipped: Set[int] = frozenset(),
    input_type: str = "float32",
    output_type: str = "float32",
    scales: dict[int, float] | None = None,
    forms: Forms = Forms.PLAIN,
) -> Graph:
    """A float network written with such a record, in which some tensors have other scales."""
    graph = edit.with_biases(Graph.from_bytes(data))
    record = dataclasses.replace(record_of(graph, skipped), config=Config(forms=forms))
    for tensor in record.tensors:
        tensor.scale = (scales or {}).get(tensor.index, tensor.scale)
    made = write(
        graph, linear_layers(graph), record, skipped, IoType(input_type), IoType(output_type)
    )
    return Graph.from_bytes(schema.serialize(made.model))


def kinds(graph: Graph) -> list[str]:
    return [operator.kind for operator in graph.operators]


def types(graph: Graph, indices: Any) -> list[str]:
    return [graph.tensors[index].type_name for index in indices]


def image_net(seed: int = 5) -> NetworkBuilder:
    return NetworkBuilder(1, 6, 6, 3)


def image(count: int = 1, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((1, 6, 6, 3)).astype(np.float32) for _ in range(count)]
