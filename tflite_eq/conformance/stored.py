"""Scales, zero points, filters and biases that a written model holds, against its record.

Values in the file are compared as real numbers, with the record's own, and not with what the writer
computed. What is wrong here need not show in the results on a few samples: a channel may lie behind
an activation function that cuts it off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.conformance.written_model import Pair, WrittenModel, pairs
from tflite_eq.graph import properties
from tflite_eq.graph.checks import describe
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import recorded_filters

Array = npt.NDArray[Any]
Double = npt.NDArray[np.float64]

# Of what is rounded in float32, in steps.
_STEP_NOISE = 1e-2

# Rounding of a product of two float32.
_SCALE_NOISE = 2.0**-22


def check_stored(subject: WrittenModel) -> None:
    """Compare the constants of the written model with the record.

    Raises:
        VerificationError: Names the tensor, or layer and channel, that differ.
    """
    for index, meaning in subject.meanings.items():
        if meaning.params is not None:
            _check_params(subject, index, meaning.params)
    records, found = subject.records(), set()
    for pair in pairs(subject):
        index = pair.source.index
        if index in records:
            _check_layer(subject, pair, subject.layers[index], records[index])
            found.add(index)
        else:
            _check_operands(subject, pair)
    for index in sorted(records.keys() - found):
        raise subject.wrong(_name(subject.layers[index]), "is not there")


def _name(layer: LinearLayer) -> str:
    return f"layer '{layer.name}' ({layer.kind.value})"


def _check_params(subject: WrittenModel, index: int, expected: AffineParams) -> None:
    scales, points = _parameters(subject.written, index)
    wanted = np.float32(expected.scale)
    if scales.tolist() == [wanted] and points.tolist() == [expected.zero_point]:
        return
    raise subject.wrong(
        f"tensor '{subject.written.tensors[index].name}'",
        f"has scale {_listed(scales)} and zero point {_listed(points)}, the record says "
        f"{expected.scale:.6g} and {expected.zero_point}",
    )


def _check_layer(
    subject: WrittenModel, pair: Pair, layer: LinearLayer, record: LayerRecord
) -> None:
    source, filter_index, bias_index = properties.linear_inputs(pair.written)
    filters = recorded_filters(layer, record)
    scales = filters.scales * np.float32(record.gain)
    axis = properties.OUTPUT_CHANNEL_AXIS[layer.kind]
    _check_filter(subject, layer, filter_index, layer.stored_filters(filters.codes), scales, axis)
    meaning = subject.meanings.get(source)
    if meaning is None or meaning.params is None:
        raise subject.wrong(_name(layer), "has an input that is not int8")
    if bias_index < 0:
        raise subject.wrong(_name(layer), "has no bias")
    correction = np.asarray(record.bias_correction or 0.0, np.float64)
    if layer.shifts is not None:
        steps = {t.index: t.scale for t in subject.calibration.tensors}
        correction = correction + layer.shifts * steps[layer.output]
    units = meaning.params.scale * scales.astype(np.float64)
    _check_bias(subject, layer, bias_index, layer.bias_values + correction, units)


def _check_operands(subject: WrittenModel, pair: Pair) -> None:
    """Constants of other operators, each within half a step."""
    for source, written in pair.constants.items():
        expected = subject.graph.constant(source).astype(np.float64)
        codes = subject.written.constant(written).astype(np.float64)
        scales, points = _parameters(subject.written, written)
        if codes.shape != expected.shape or len(scales) != 1 or len(points) != 1:
            continue
        if pair.source.kind in properties.LOSES_BELOW:
            expected = expected.clip((INT8_MIN - points) * scales, None)
        elif pair.source.kind in properties.LOSES_ABOVE:
            expected = expected.clip(None, (INT8_MAX - points) * scales)
        over = np.abs((codes - points) * scales - expected) - (0.5 + _STEP_NOISE) * scales
        if over.max(initial=0) > 0:
            position = np.unravel_index(int(over.argmax()), over.shape)
            raise subject.wrong(
                f"constant of {describe(subject.written, pair.written)}",
                f"is {float((codes[position] - points[0]) * scales[0]):.6g} at {list(position)}, "
                f"the float model says {float(expected[position]):.6g}",
            )


def _check_filter(
    subject: WrittenModel,
    layer: LinearLayer,
    index: int,
    expected: Array,
    scales: npt.NDArray[np.float32],
    axis: int,
) -> None:
    codes = subject.written.constant(index)
    found, points = _parameters(subject.written, index)
    if points.any():
        raise subject.wrong(_name(layer), f"has weights with zero point {_listed(points)}, not 0")
    if codes.shape != expected.shape or len(found) not in (1, len(scales)):
        raise subject.wrong(
            _name(layer),
            f"has a filter of shape {list(codes.shape)} with {len(found)} scales, the record says "
            f"{list(expected.shape)} with {len(scales)}",
        )
    off = np.abs(found.astype(np.float64) / scales.astype(np.float64) - 1) > _SCALE_NOISE
    if off.any():
        channel = int(off.argmax())
        own = float(np.broadcast_to(found, scales.shape)[channel])
        raise subject.wrong(
            _name(layer),
            f"has the weight scale {own:.6g} in channel {channel}, the record says "
            f"{float(scales[channel]):.6g}",
        )
    if (codes != expected).any():
        position = np.argwhere(codes != expected)[0]
        raise subject.wrong(
            _name(layer),
            f"has the weight {codes[tuple(position)]} in channel {position[axis]}, the record says "
            f"{expected[tuple(position)]}",
        )


def _check_bias(
    subject: WrittenModel, layer: LinearLayer, index: int, expected: Double, units: Double
) -> None:
    codes = subject.written.constant(index).astype(np.float64)
    found, _ = _parameters(subject.written, index)
    if codes.shape != expected.shape or len(found) not in (1, len(units)):
        raise subject.wrong(_name(layer), f"has a bias of shape {list(codes.shape)}")
    # Half a unit of rounding, which is done in float32.
    allowed = (0.5 + np.abs(expected / units) * 2.0**-21 + 1e-3) * units
    over = np.abs(codes * found - expected) - allowed
    off = np.abs(found / units - 1) > 2 * _SCALE_NOISE
    if over.max() > 0 or off.any():
        channel = int(over.argmax()) if over.max() > 0 else int(off.argmax())
        scale = float(np.broadcast_to(found, units.shape)[channel])
        raise subject.wrong(
            _name(layer),
            f"has the bias {codes[channel] * scale:.6g} in channel {channel} (scale {scale:.6g}), "
            f"the record says {expected[channel]:.6g} (scale {units[channel]:.6g})",
        )


def _parameters(graph: Graph, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Scales and zero points of a tensor; empty if there are none."""
    stored = graph.subgraph.tensors[index].quantization
    scales = () if stored is None or stored.scale is None else stored.scale
    points = () if stored is None or stored.zeroPoint is None else stored.zeroPoint
    return np.asarray(scales, np.float32), np.asarray(points, np.int64)


def _listed(values: Array) -> str:
    return ", ".join(f"{value:.6g}" for value in values.tolist()[:4]) or "none"
