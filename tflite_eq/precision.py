"""Which tensors and weights get 7 bits."""

from __future__ import annotations

import re

from tflite_eq.config import Bits, Config
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.targets import gains_from_int7, weight_grid


def wants_int7(group: ScaleGroup, config: Config) -> bool:
    """Whether the tensors that share a scale are to have 7 bits, or fewer where so many are."""
    kept = config.keep_int8
    if config.bits is Bits.INT8 or group.fixed is not None:
        return False
    if kept is not None and any(re.search(kept, reader.name) for reader in group.readers):
        return False
    if config.bits is not Bits.AUTO:
        return bool(group.readers)
    return any(
        reader.geometry is not None and gains_from_int7(reader.geometry, config.target)
        for reader in group.readers
    )


def grid_for(layer: LinearLayer, input_group: ScaleGroup, config: Config) -> WeightGrid:
    """The weight grid of a layer that reads a group."""
    return weights_grid(layer, wants_int7(input_group, config), config)


def weights_grid(layer: LinearLayer, int7: bool, config: Config) -> WeightGrid:
    """The weight grid of a layer, by whether its input has fewer than 8 bits."""
    if int7 and (config.method.is_published or config.bits.narrow < 7):
        return _PLAIN_GRIDS[config.bits.narrow]
    return weight_grid(layer.geometry, config.target, int7)


def input_bits(int7: bool, config: Config) -> int:
    """Bits of a tensor, by whether it has fewer than 8."""
    return config.bits.narrow if int7 else 8


def ends_in_file(int7: bool, config: Config) -> bool:
    """Whether the file is to end a tensor's codes where its window ends.

    7 bits are a promise to kernels that gain from them, which a search keeps. The settings as
    published clip, though, and fewer bits are nothing but that.
    """
    return int7 and (config.method.is_published or config.bits.narrow < 7)


_PLAIN_GRIDS = {7: WeightGrid.INT7, 6: WeightGrid.INT6, 5: WeightGrid.INT5}
