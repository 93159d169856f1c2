"""A pass over the network as one half of a round of the paper's Algorithm 1.

A round searches all weight scales of the network, first to last, and then all activation scales.
In either half what has been found feeds the layers behind it, and the other kind of scale is what
the half before has left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Config
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.precision import wants_int7, weights_grid
from tflite_eq.search.algorithm1 import (
    DecidedLayer,
    LayerCosines,
    best_activation,
    best_weight_scales,
)
from tflite_eq.search.easyquant import Interval, SearchResult, Trial, initial_weight_scales
from tflite_eq.search.rows import supports_rows
from tflite_eq.simulation.averages import Averages
from tflite_eq.simulation.sampling import sampled_layer
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]


@dataclasses.dataclass
class Scales:
    """What Algorithm 1 has found so far.

    Attributes:
        weights: Weight scales [K] by operator index; where there are none, the largest weights'.
        multiples: Of the ``S`` of an activation's largest magnitude, by the first tensor of the
            group; 1 where there is none.
        trials: What the last search of weights tried, by operator index.
    """

    weights: dict[int, Float] = dataclasses.field(default_factory=dict)
    multiples: dict[int, float] = dataclasses.field(default_factory=dict)
    trials: dict[int, tuple[Trial, ...]] = dataclasses.field(default_factory=dict)

    def copy(self) -> Scales:
        """These as they are now."""
        return Scales(dict(self.weights), dict(self.multiples), dict(self.trials))

    def same_weights(self, other: Scales) -> bool:
        """Whether both have the same weight scales."""
        return self.weights.keys() == other.weights.keys() and all(
            np.array_equal(scales, other.weights[index]) for index, scales in self.weights.items()
        )


class HalfRound:
    """Answers what a pass asks for: searched in its own half, as found before in the other.

    Attributes:
        scales: What has been found; receives what this half finds.
    """

    def __init__(
        self, scales: Scales, twins: TwinActivations, config: Config, of_weights: bool
    ) -> None:
        """Search weights or activations on the twins of the pass."""
        self.scales = scales
        self._twins = twins
        self._config = config
        self._of_weights = of_weights

    def weights(self, layer: LinearLayer, params: AffineParams, int7: bool) -> Float:
        """Weight scales [K] of a layer whose input is settled; ``supports_rows`` must hold."""
        if self._of_weights:
            found, trials = best_weight_scales(
                self._cosines(layer, int7),
                params,
                self._present(layer, int7),
                self._config.search,
                self._config.per_tensor,
            )
            self.scales.weights[layer.operator.index] = found
            self.scales.trials[layer.operator.index] = trials
        return self._present(layer, int7)

    def weight_trials(self, layer: LinearLayer) -> tuple[Trial, ...]:
        """What the last search tried for the weights of a layer."""
        return self.scales.trials.get(layer.operator.index, ())

    def activation(
        self,
        group: ScaleGroup,
        origin: Interval,
        params_of: Callable[[Interval], AffineParams],
        may_clip: bool,
        averages: Averages,
    ) -> SearchResult:
        """Interval of a group that the pass needs codes of.

        Args:
            group: The group.
            origin: Its interval from the largest magnitudes.
            params_of: Scale and zero point for an interval.
            may_clip: Whether an interval smaller than that may be chosen.
            averages: Those inside the group.
        """
        first, int7 = group.tensors[0], wants_int7(group, self._config)
        present = self.scales.multiples.get(first, 1.0)
        readers = []
        if not self._of_weights:
            readers = [
                DecidedLayer(self._cosines(layer, int7, averages), self._present(layer, int7))
                for layer in group.readers
                if supports_rows(layer) and self._twins.has_values(layer.input)
            ]
        if not readers:
            interval = origin[0] / present, origin[1] / present
            return SearchResult(interval, "minmax", 1 / present)
        self.scales.multiples[first], result = best_activation(
            readers, origin, present, params_of, self._config.search, may_clip
        )
        return result

    def _present(self, layer: LinearLayer, int7: bool) -> Float:
        found = self.scales.weights.get(layer.operator.index)
        if found is not None:
            return found
        grid = weights_grid(layer, int7, self._config)
        return initial_weight_scales(layer.filters, grid, self._config.per_tensor)

    def _cosines(
        self, layer: LinearLayer, int7: bool, averages: Averages | None = None
    ) -> LayerCosines:
        sampled = sampled_layer(layer, self._twins, self._config, averages)
        return LayerCosines(
            layer.filters,
            layer.groups,
            sampled.rows,
            sampled.output,
            layer.bias_values,
            sampled.ends,
            weights_grid(layer, int7, self._config),
        )
