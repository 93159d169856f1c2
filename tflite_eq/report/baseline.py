"""The model that TFLite's default post-training quantization makes of the same calibration data.

Scales come from the extremes, weights from their largest magnitudes per channel, nothing is
searched or corrected; nothing has to be run for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

import numpy as np

from tflite_eq.backends import Backend
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.calibration.ranges import Interval
from tflite_eq.calibration.record import Calibration, LayerRecord
from tflite_eq.config import BiasCorrection, Config, Method
from tflite_eq.graph import schema
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.numerics import weights
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.store import ActivationStore
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.targets import WeightGrid
from tflite_eq.writer import write


def default_model(
    graph: Graph,
    skipped: Set[int],
    extremes: Mapping[int, Interval],
    calibration: Calibration,
    backend: Backend,
) -> bytes:
    """The default int8 model with float inputs and outputs.

    Args:
        graph: The float network as it was given: TFLite does not scale channels.
        skipped: Indices of operators that stay in float.
        extremes: Smallest and largest FP32 value over the calibration data by tensor index.
        calibration: Record of the model it will be compared with; only what it says about data
            and seed is taken.
        backend: Quantizer backend.
    """
    config = Config(
        method=Method.MINMAX,
        bias_correction=BiasCorrection.NONE,
        skip=calibration.config.skip,
        seed=calibration.config.seed,
    )
    layers = linear_layers(graph)
    groups = scale_groups(graph, layers, skipped)
    observers = {index: _observer(interval) for index, interval in extremes.items()}
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        scales = ActivationScales(graph, layers, groups, skipped, observers, twins, config)
        scales.settle_rest()
        tensors = scales.records()
    input_scales = {tensor.index: tensor.scale for tensor in tensors}
    record = dataclasses.replace(
        calibration,
        config=config,
        tensors=tensors,
        layers=[
            _layer_record(layer, input_scales[layer.input])
            for index, layer in layers.items()
            if index not in skipped
        ],
        equalization=[],
        fine_tuning=None,
        warnings=[],
    )
    return schema.serialize(write(graph, layers, record, set(skipped), backend).model)


def _observer(extremes: Interval) -> RangeObserver:
    """An observer that has seen the extremes alone, which are all that min-max looks at."""
    observer = RangeObserver()
    observer.update(np.asarray(extremes, np.float32))
    return observer


def _layer_record(layer: LinearLayer, input_scale: float) -> LayerRecord:
    scales = weights.max_scales(layer.filters, WeightGrid.INT8)
    scales = np.maximum(scales, weights.bias_floor(layer.bias_values, input_scale))
    return LayerRecord(
        index=layer.operator.index,
        name=layer.name,
        kind=layer.kind.value,
        input=layer.input,
        grid=WeightGrid.INT8.value,
        scales=scales.tolist(),
        gain=1.0,
        bias_correction=[],
        metrics={},
    )
