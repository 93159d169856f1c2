"""Facts about the linear layers of a model, quantized or not, read from the file alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq import metadata
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind
from tflite_eq.numerics.lattice import is_on_lattice


@dataclasses.dataclass(frozen=True)
class LayerFacts:
    """How one linear layer is stored.

    Scales and codes are 0 where a tensor is not quantized.

    Attributes:
        name: Output tensor name.
        kind: Operator kind.
        filter_shape: Shape of the filter as stored.
        input_type: Element type of the activation.
        weight_type: Element type of the filter.
        input_bits: 7 if the record promises a window of at most 128 codes, else the type's bits.
        input_scale: Scale of the activation.
        input_zero_point: Zero point of the activation.
        window: Smallest and largest code of the activation, if the record has them.
        output_scale: Scale of the output.
        output_zero_point: Zero point of the output.
        weight_scales: Number of filter scales.
        weight_scale_min: Smallest of them.
        weight_scale_max: Largest of them.
        largest_weight: Largest magnitude of a filter code.
        grid: ``even triplets``, ``7 bit``, ``8 bit`` or ``float``, told from the codes.
    """

    name: str
    kind: str
    filter_shape: tuple[int, ...]
    input_type: str
    weight_type: str
    input_bits: int
    input_scale: float
    input_zero_point: int
    window: tuple[int, int] | None
    output_scale: float
    output_zero_point: int
    weight_scales: int
    weight_scale_min: float
    weight_scale_max: float
    largest_weight: int
    grid: str


def layer_facts(graph: Graph, record: metadata.Record | None) -> list[LayerFacts]:
    """Facts about every convolution and dense layer with a stored filter, in order."""
    windows = record.windows if record else {}
    return [
        _facts(graph, operator, windows)
        for operator in graph.operators
        if properties.linear_kind(operator) is not None
        and graph.tensors[properties.linear_inputs(operator)[1]].is_constant
    ]


def _facts(graph: Graph, operator: Operator, windows: dict[str, tuple[int, int]]) -> LayerFacts:
    activation, filter_index, _ = properties.linear_inputs(operator)
    source, stored = graph.tensors[activation], graph.tensors[filter_index]
    output = operator.outputs[0]
    window = windows.get(source.name)
    weight_scales = _scales(graph, filter_index)
    int8 = stored.type_name == "INT8" and weight_scales.size > 0
    codes = graph.constant(filter_index) if int8 else np.zeros(1, np.int8)
    bits = {"INT8": 8, "UINT8": 8, "INT16": 16}.get(source.type_name, 32)
    if window is not None and window[1] - window[0] <= 127:
        bits = 7
    return LayerFacts(
        name=graph.tensors[output].name,
        kind=operator.kind,
        filter_shape=stored.shape,
        input_type=source.type_name.lower(),
        weight_type=stored.type_name.lower(),
        input_bits=bits,
        input_scale=_first(_scales(graph, activation)),
        input_zero_point=_zero_point(graph, activation),
        window=window,
        output_scale=_first(_scales(graph, output)),
        output_zero_point=_zero_point(graph, output),
        weight_scales=int(weight_scales.size),
        weight_scale_min=float(weight_scales.min(initial=np.inf)) if int8 else 0.0,
        weight_scale_max=float(weight_scales.max(initial=0.0)) if int8 else 0.0,
        largest_weight=int(np.abs(codes.astype(np.int16)).max(initial=0)),
        grid=_grid(operator, codes) if int8 else "float",
    )


def _grid(operator: Operator, codes: npt.NDArray[np.int8]) -> str:
    is_3x3 = operator.kind == LinearKind.CONV.value and codes.shape[1:3] == (3, 3)
    if is_3x3 and bool(is_on_lattice(codes).all()):
        return "even triplets"
    return "7 bit" if np.abs(codes.astype(np.int16)).max(initial=0) <= 63 else "8 bit"


def _scales(graph: Graph, index: int) -> npt.NDArray[Any]:
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.scale is None:
        return np.zeros(0, np.float32)
    return np.asarray(stored.scale, np.float32)


def _first(scales: npt.NDArray[Any]) -> float:
    return float(scales[0]) if scales.size else 0.0


def _zero_point(graph: Graph, index: int) -> int:
    stored = graph.subgraph.tensors[index].quantization
    if stored is None or stored.zeroPoint is None or not len(stored.zeroPoint):
        return 0
    return int(stored.zeroPoint[0])
