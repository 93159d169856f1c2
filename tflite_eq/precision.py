"""Which tensors and weights get 7 bits."""

from __future__ import annotations

import re

from tflite_eq.config import Bits, Config
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.targets import gains_from_int7, weight_grid


def wants_int7(group: ScaleGroup, config: Config) -> bool:
    """Whether the tensors that share a scale are to have 7 bits."""
    kept = config.keep_int8
    if config.bits is Bits.INT8 or group.fixed is not None:
        return False
    if kept is not None and any(re.search(kept, reader.name) for reader in group.readers):
        return False
    if config.bits is Bits.INT7:
        return bool(group.readers)
    return any(
        reader.geometry is not None and gains_from_int7(reader.geometry, config.target)
        for reader in group.readers
    )


def grid_for(layer: LinearLayer, input_group: ScaleGroup, config: Config) -> WeightGrid:
    """The weight grid of a layer that reads a group."""
    return weight_grid(layer.geometry, config.target, wants_int7(input_group, config))
