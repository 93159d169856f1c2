"""Convolutions and dense layers in one common form: filters with output channels first."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind
from tflite_eq.targets import ConvGeometry


@dataclasses.dataclass(frozen=True)
class LinearLayer:
    """One linear operator with a constant filter.

    Attributes:
        operator: The operator.
        name: Name of its output tensor.
        kind: Kind of operator.
        input: Tensor index of the activation.
        filter: Tensor index of the filter.
        bias: Tensor index of the bias.
        filters: Float filter, output channels first: [K, kh, kw, C / groups], dense [K, C].
        bias_values: Float bias, [K].
        groups: Filter groups; equals the input channels for a depthwise convolution.
        geometry: Shape facts of a CONV_2D, ``None`` for other kinds.
        copies: Which copy of a channel of the input each slice along the last axis of the filters
            reads, [C / groups]; ``None`` where no channel is there twice.
        shifts: What is added to the outputs before they are rounded, in steps of their scale, [K];
            ``None`` where no channel is there twice.
    """

    operator: Operator
    name: str
    kind: LinearKind
    input: int
    filter: int
    bias: int
    filters: npt.NDArray[np.float32]
    bias_values: npt.NDArray[np.float32]
    groups: int
    geometry: ConvGeometry | None
    copies: npt.NDArray[np.int64] | None = None
    shifts: npt.NDArray[np.float32] | None = None

    @property
    def output(self) -> int:
        """Tensor index of the output."""
        return self.operator.outputs[0]

    @property
    def channels(self) -> int:
        """Number of output channels K."""
        return len(self.filters)

    def stored_filters(self, filters: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Filters of the common form in the layout that the flatbuffer stores."""
        if self.kind is LinearKind.DEPTHWISE:
            return np.ascontiguousarray(np.moveaxis(filters[..., 0], 0, 2)[np.newaxis])
        return filters


def linear_layers(graph: Graph) -> dict[int, LinearLayer]:
    """All linear layers with constant filters, by operator index; biases must exist."""
    return {
        operator.index: linear_layer(graph, operator)
        for operator in graph.operators
        if properties.has_constant_filter(graph, operator)
    }


def multiplications(graph: Graph, layer: LinearLayer) -> int:
    """Multiplications of one inference."""
    counted = layer.input if layer.kind is LinearKind.TRANSPOSE else layer.output
    pixels = graph.tensors[counted].shape[:-1]
    return int(np.prod(pixels, dtype=np.int64)) * int(layer.filters.size)


def conv_geometry(graph: Graph, operator: Operator) -> ConvGeometry:
    """Shape facts of a CONV_2D operator."""
    activation, filters, _ = properties.linear_inputs(operator)
    output_channels, height, width, channels = graph.tensors[filters].shape
    options = operator.options
    _, out_height, out_width, _ = graph.tensors[operator.outputs[0]].shape
    return ConvGeometry(
        kernel=(height, width),
        stride=(options.strideH, options.strideW),
        dilation=(options.dilationHFactor, options.dilationWFactor),
        input_channels=channels,
        output_channels=output_channels,
        output_size=(out_height, out_width),
        groups=max(1, graph.tensors[activation].shape[-1] // channels),
    )


def linear_layer(graph: Graph, operator: Operator) -> LinearLayer:
    """One linear operator with a constant filter, float or quantized, in the common form."""
    kind = LinearKind(operator.kind)
    activation, filter_index, bias = properties.linear_inputs(operator)
    filters = graph.constant(filter_index)
    groups = 1
    geometry = None
    if kind is LinearKind.DEPTHWISE:
        filters = np.ascontiguousarray(np.moveaxis(filters[0], 2, 0)[..., np.newaxis])
        groups = graph.tensors[activation].shape[-1]
    elif kind is LinearKind.CONV:
        geometry = conv_geometry(graph, operator)
        groups = geometry.groups
    read = None if kind is LinearKind.DEPTHWISE else graph.copies.get(activation)
    written = graph.copies.get(operator.outputs[0])
    return LinearLayer(
        operator=operator,
        name=graph.tensors[operator.outputs[0]].name,
        kind=kind,
        input=activation,
        filter=filter_index,
        bias=bias,
        filters=filters,
        bias_values=graph.constant(bias),
        groups=groups,
        geometry=geometry,
        copies=None if read is None else read.numbers[: filters.shape[-1]],
        shifts=None if written is None else written.shifts,
    )


def padding_before(
    size: int, output: int, kernel: int, stride: int, dilation: int, same: bool
) -> tuple[int, int]:
    """Zeros that TFLite puts before and after one spatial axis."""
    if not same:
        return 0, 0
    total = max((output - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def is_same_padding(operator: Operator) -> bool:
    """Whether a convolution pads its input to keep the size (divided by the stride)."""
    return bool(operator.options.padding == schema.schema().Padding.SAME)
