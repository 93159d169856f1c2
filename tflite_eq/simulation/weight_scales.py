"""Deciding the weight scales of linear layers, all of them here.

Where the scale of a layer's input is searched, the layer's weight scales are searched with it, long
before the layer runs (``joint``, ``take``); otherwise when it runs. Without a search they are the
scales that clip nothing. Either way they are no smaller than the layer's bias allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Config, Method
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.numerics import weights
from tflite_eq.precision import weights_grid
from tflite_eq.record.filters import QuantizedFilters
from tflite_eq.search.easyquant import LayerReader, initial_weight_scales
from tflite_eq.search.rows import supports_rows
from tflite_eq.simulation.averages import Averages
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.sampling import make_layer_reader

Float = npt.NDArray[np.float32]


class WeightScales:
    """Weight scales of one network's layers."""

    def __init__(self, task: LockstepPass) -> None:
        """Nothing is decided yet but what an interrupted run has left waiting."""
        self._twins = task.twins
        self._config = task.config
        self._trace = task.trace
        self._half_round = task.half_round
        waiting = task.decided[-1].waiting_scales if task.decided else {}
        self._found = {i: np.asarray(scales, np.float32) for i, scales in waiting.items()}

    def joint(
        self, layers: Sequence[LinearLayer], int7: bool, averages: Averages
    ) -> dict[int, LayerReader]:
        """Layers to search together with the scale of the input they share, by operator index.

        Args:
            layers: Layers; those whose input the networks have not computed yet are left out.
            int7: Whether the input gets 7 bits.
            averages: Those inside the group of the input.
        """
        if self._config.method is not Method.EASYQUANT:
            return {}
        return {
            layer.operator.index: make_layer_reader(
                layer, self._twins, self._config, int7, averages
            )
            for layer in layers
            if supports_rows(layer) and self._twins.has_values(layer.input)
        }

    def take(self, searched: Mapping[int, LayerReader]) -> None:
        """Keep what a search with the input's scale has found, until the layers run."""
        for index, reader in searched.items():
            self._keep(index, reader)

    def waiting(self) -> dict[int, list[float]]:
        """Scales already found for layers that are yet to run, by operator index."""
        return {index: scales.tolist() for index, scales in self._found.items()}

    def decide(self, layer: LinearLayer, int7: bool) -> QuantizedFilters:
        """Filters rounded to the nearest codes under the layer's scales; its input is settled."""
        index, params = layer.operator.index, self._twins.settled[layer.input].params
        searches = self._config.method is Method.EASYQUANT and supports_rows(layer)
        if index not in self._found and searches:
            reader = make_layer_reader(layer, self._twins, self._config, int7)
            reader.search_weights(params, self._config.search)
            self._keep(index, reader)
        elif self._half_round is not None and supports_rows(layer):
            self._found[index] = self._half_round.weights(layer, params, int7)
            if self._trace is not None:
                self._trace.weight_searches[index] = self._half_round.weight_trials(layer)
        grid = weights_grid(layer, int7, self._config)
        if index in self._found:
            scales = allowed(self._found.pop(index), layer, params.scale, self._config.per_tensor)
        else:
            scales = unclipped_scales(layer, params.scale, int7, self._config)
        codes = weights.quantize_filters(layer.filters, scales, grid, layer.copies)
        return QuantizedFilters(codes, scales, grid)

    def _keep(self, index: int, reader: LayerReader) -> None:
        self._found[index] = reader.scales
        if self._trace is not None:
            self._trace.weight_searches[index] = reader.trials


def unclipped_scales(layer: LinearLayer, input_scale: float, int7: bool, config: Config) -> Float:
    """The smallest scales [K] that clip no weight and that the bias allows."""
    grid = weights_grid(layer, int7, config)
    scales = initial_weight_scales(layer.filters, grid, config.per_tensor)
    return allowed(scales, layer, input_scale, config.per_tensor)


def allowed(scales: Float, layer: LinearLayer, input_scale: float, per_tensor: bool) -> Float:
    """Scales [K] raised to those under which the int32 bias keeps its range."""
    scales = np.maximum(scales, weights.bias_floor(layer.bias_values, input_scale))
    return np.full_like(scales, scales.max()) if per_tensor else scales
