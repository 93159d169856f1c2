"""The model that min-max scales make of the same calibration data.

Scales come from the extremes, weights from their largest magnitudes, nothing is searched or
corrected; nothing has to be run for it. With 8 bits and a weight scale per channel this is TFLite's
default post-training quantization.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set

import numpy as np

from tflite_eq.config import BiasCorrection, Bits, Config, Equalization, Method, Reconstruction
from tflite_eq.data.store import ActivationStore
from tflite_eq.graph import schema
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.numerics.windows import ActivationMode
from tflite_eq.precision import weights_grid
from tflite_eq.record.calibration import Calibration, LayerRecord
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.least_scales import least_output_scale
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.simulation.weight_scales import WeightScales, unclipped_scales
from tflite_eq.statistics.histogram import RangeObserver
from tflite_eq.statistics.ranges import Interval
from tflite_eq.writing.writer import write


def default_model(
    graph: Graph,
    skipped: Set[int],
    extremes: Mapping[int, Interval],
    calibration: Calibration,
) -> bytes:
    """TFLite's default int8 model with float inputs and outputs.

    Args:
        graph: The float network as it was given: TFLite does not scale channels.
        skipped: Indices of operators that stay in float.
        extremes: Smallest and largest FP32 value over the calibration data by tensor index.
        calibration: Record of the model it will be compared with; only what it says about data,
            seed and what stays in float is taken.
    """
    config = dataclasses.replace(
        min_max_config(calibration.config),
        bits=Bits.INT8,
        keep_int8=None,
        split_channels=None,
        channel_copies=(),
        activation_mode=ActivationMode.ASYMMETRIC,
        per_tensor=False,
    )
    record = min_max_record(graph, skipped, extremes, calibration, config)
    return schema.serialize(write(graph, linear_layers(graph), record, skipped).model)


def min_max_config(config: Config) -> Config:
    """The same bits, windows and granularity with min-max scales and nothing searched."""
    return dataclasses.replace(
        config,
        method=Method.MINMAX,
        bias_correction=BiasCorrection.NONE,
        reconstruction=Reconstruction.NONE,
        equalization=Equalization.NONE,
    )


def is_tflite_default(config: Config) -> bool:
    """Whether min-max scales under these bits and windows are what TFLite takes by default."""
    return (
        config.bits is Bits.INT8
        and config.activation_mode is ActivationMode.ASYMMETRIC
        and not config.per_tensor
        and config.split_channels is None
        and not config.channel_copies
    )


def min_max_record(
    graph: Graph,
    skipped: Set[int],
    extremes: Mapping[int, Interval],
    calibration: Calibration,
    config: Config,
) -> Calibration:
    """A record of min-max scales, without the figures of its layers.

    Args:
        graph: The float network as it was given.
        skipped: Indices of operators that stay in float.
        extremes: Smallest and largest FP32 value over the calibration data by tensor index.
        calibration: Another record of the same network and data.
        config: Options, of ``min_max_config``.
    """
    network = Network.of(graph, skipped)
    layers, groups = network.layers, network.groups
    observers = {index: _observer(interval) for index, interval in extremes.items()}
    with ActivationStore() as store:
        twins = TwinActivations(store, samples=0)
        task = LockstepPass(network, observers, twins, config)
        scales = ActivationScales(task, WeightScales(task))
        scales.settle_rest()
        tensors = scales.records()
    input_scales = {tensor.index: tensor.scale for tensor in tensors}
    records = [
        _layer_record(layer, input_scales[layer.input], scales.is_int7(layer.input), config)
        for index, layer in layers.items()
        if index not in skipped
    ]
    least = {
        layers[record.index].output: least_output_scale(record, input_scales[record.input])
        for record in records
    }
    for tensor in tensors:
        members = groups[tensor.index].tensors
        tensor.scale = max(tensor.scale, *(least.get(index, 0.0) for index in members))
    return dataclasses.replace(
        calibration,
        config=config,
        tensors=tensors,
        layers=records,
        equalization=[],
        fine_tuning=None,
        warnings=[],
    )


def _observer(extremes: Interval) -> RangeObserver:
    """An observer that has seen the extremes alone, which are all that min-max looks at."""
    observer = RangeObserver()
    observer.update(np.asarray(extremes, np.float32))
    return observer


def _layer_record(
    layer: LinearLayer, input_scale: float, is_int7: bool, config: Config
) -> LayerRecord:
    grid = weights_grid(layer, is_int7, config)
    scales = unclipped_scales(layer, input_scale, is_int7, config)
    return LayerRecord(
        index=layer.operator.index,
        name=layer.name,
        kind=layer.kind.value,
        input=layer.input,
        grid=grid.value,
        scales=scales[: 1 if config.per_tensor else None].tolist(),
        gain=1.0,
        bias_correction=[],
        metrics={},
    )
