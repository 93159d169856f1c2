"""Distributions, searches and proofs of every layer, for a reader who wants to know why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation.layerwise import corresponding_tensors
from tflite_eq.graph.linear import LinearLayer, linear_layer, multiplications
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind
from tflite_eq.numerics import certificates, weights
from tflite_eq.numerics.certificates import Certificate
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.calibration import LayerRecord, TensorRecord
from tflite_eq.report.claims import runtime_multiplications
from tflite_eq.report.model import Claim, LayerDetail
from tflite_eq.search.trace import PassTrace
from tflite_eq.statistics.histogram import Histogram

_BINS = 96


def written_layers(
    graph: Graph, layers: Mapping[int, LinearLayer], written: Graph
) -> dict[int, LinearLayer]:
    """The written model's layers by operator index of the float network; filters are int8 codes."""
    outputs = {layer.output: index for index, layer in layers.items()}
    found = {}
    for tensor, source in corresponding_tensors(graph, written, list(outputs)).items():
        operator = _behind_dequantize(written, tensor)
        if operator is not None and operator.kind == layers[outputs[source]].kind.value:
            found[outputs[source]] = linear_layer(written, operator)
    return found


def layer_detail(
    graph: Graph,
    layer: LinearLayer,
    record: LayerRecord,
    source: TensorRecord,
    written: LinearLayer,
    trace: PassTrace,
    claims: tuple[Claim, ...],
) -> LayerDetail:
    """Everything about one layer.

    Args:
        graph: The float network.
        layer: The layer in it.
        record: How it was quantized.
        source: How its input was quantized.
        written: The same layer of the written model.
        trace: What the calibration pass saw.
        claims: The delegate's decisions on it.
    """
    grid = WeightGrid(record.grid)
    scales = np.broadcast_to(np.asarray(record.scales, np.float32), (layer.channels,))
    factors = scales / weights.max_scales(layer.filters, grid)
    observer = trace.observers.get(source.index)
    return LayerDetail(
        shape=_shape(graph, layer),
        multiplications=multiplications(graph, layer),
        weights=int(layer.filters.size),
        activation=None if observer is None else observer.histogram(_BINS),
        clip=_real_window(source),
        window=source.window,
        saturates=source.saturates,
        weight_codes=_in_codes(layer.filters, scales, grid.limit),
        weight_limit=grid.limit,
        weight_factors=(
            float(factors.min()),
            float(np.median(factors)),
            float(factors.max()),
        ),
        activation_search=trace.activation_searches.get(source.index, ()),
        weight_search=trace.weight_searches.get(layer.operator.index, ()),
        certificates=_certificates(layer, written, source),
        claims=claims,
    )


def total_runtime_multiplications(graph: Graph, layers: Mapping[int, LinearLayer]) -> float:
    """What XNNPACK multiplies for all linear layers in one inference."""
    return sum(
        runtime_multiplications(
            multiplications(graph, layer), layer.filters.shape[-1], layer.groups
        )
        for layer in layers.values()
    )


def _certificates(
    layer: LinearLayer, written: LinearLayer, source: TensorRecord
) -> tuple[Certificate, ...]:
    codes = written.filters.astype(np.int8)
    zero_point = source.zero_point
    bias = written.bias_values.astype(np.int32)
    found = [
        certificates.accumulator_certificate(
            "int32", codes, zero_point, certificates.INT32_BITS, bias
        )
    ]
    if layer.geometry is None or layer.geometry.groups > 1:
        return tuple(found)
    if layer.geometry.is_winograd:
        for kernel, bits in (
            ("winograd_f43", certificates.WINOGRAD_F43_BITS),
            ("winograd_f23", certificates.WINOGRAD_F23_BITS),
        ):
            found.append(
                certificates.accumulator_certificate(kernel, codes, zero_point, bits, None)
            )
        found.append(certificates.winograd_1d_certificate(codes))
    elif source.bits < 8:
        found.append(certificates.direct_int7_certificate(codes))
    return tuple(found)


def _real_window(source: TensorRecord) -> tuple[float, float]:
    low, high = source.window
    return (low - source.zero_point) * source.scale, (high - source.zero_point) * source.scale


def _in_codes(
    filters: npt.NDArray[np.float32], scales: npt.NDArray[np.float32], limit: int
) -> Histogram:
    """Float weights in units of their channels' scales."""
    units = filters.reshape(len(filters), -1) / scales[:, np.newaxis]
    end = float(max(limit, np.abs(units).max(initial=0)))
    counts, _ = np.histogram(units, _BINS, (-end, end))
    zeros = int(np.count_nonzero(units == 0))
    return Histogram(-end, 2 * end / _BINS, tuple(int(n) for n in counts), zeros)


def _shape(graph: Graph, layer: LinearLayer) -> str:
    filters = layer.filters.shape
    outputs = layer.channels
    if layer.kind is LinearKind.DENSE:
        return f"{filters[1]} → {outputs}"
    options = layer.operator.options
    size = f"{filters[1]}×{filters[2]}"
    inputs = graph.tensors[layer.input].shape[-1]
    _, height, width, _ = graph.tensors[layer.output].shape
    text = f"{size}, {inputs} → {outputs} channels, {height}×{width} out"
    if (options.strideH, options.strideW) != (1, 1):
        text += f", stride {options.strideH}"
    if getattr(options, "dilationHFactor", 1) != 1:
        text += f", dilation {options.dilationHFactor}"
    return text


def _behind_dequantize(written: Graph, tensor: int) -> Operator | None:
    operator = written.producer(tensor)
    if operator is not None and operator.kind == "DEQUANTIZE":
        operator = written.producer(operator.inputs[0])
    return operator
