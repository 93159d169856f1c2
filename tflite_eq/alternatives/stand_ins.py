"""Records that stand in for calibrations that leave something out, made without running anything.

They tell what is worth calibrating for real.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

import numpy as np

from tflite_eq.alternatives.min_max import min_max_record
from tflite_eq.equalization.factors import with_factors
from tflite_eq.graph.model import Graph
from tflite_eq.record.record import Calibration, LayerRecord, TensorRecord
from tflite_eq.statistics.ranges import Interval


def uncorrected(record: Calibration) -> Calibration:
    """A calibration without gains and bias corrections."""
    layers = [dataclasses.replace(x, gain=1.0, bias_correction=[]) for x in record.layers]
    return dataclasses.replace(record, layers=layers)


def unequalized(
    graph: Graph,
    skipped: Set[int],
    base: Calibration,
    observed: Mapping[int, Interval],
    record: Calibration,
) -> Calibration:
    """The network as it was given, with scales as far from min-max scales as a search took them.

    Args:
        graph: The float network as it was given.
        skipped: Indices of operators that stay in float.
        base: Its record of min-max scales.
        observed: Smallest and largest FP32 value by tensor index in the equalized network.
        record: What was found for the equalized network.

    Returns:
        A record without gains and bias corrections.
    """
    scaled = with_factors(graph, record.equalization)
    start = min_max_record(scaled, skipped, observed, record, base.config)
    tensors = [_moved_tensor(*three) for three in zip(base.tensors, start.tensors, record.tensors)]
    layers = [_moved_layer(*three) for three in zip(base.layers, start.layers, record.layers)]
    return dataclasses.replace(base, tensors=tensors, layers=layers)


def _moved_tensor(base: TensorRecord, start: TensorRecord, found: TensorRecord) -> TensorRecord:
    return dataclasses.replace(base, scale=base.scale * found.scale / start.scale)


def _moved_layer(base: LayerRecord, start: LayerRecord, found: LayerRecord) -> LayerRecord:
    ratio = np.asarray(found.scales) / np.asarray(start.scales)
    return dataclasses.replace(base, scales=(np.asarray(base.scales) * ratio).tolist())
