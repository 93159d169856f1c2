"""What a calibration pass looked at on its way, for reports; results do not depend on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tflite_eq.data.dataset import Array
from tflite_eq.search.easyquant import Trial
from tflite_eq.statistics.histogram import RangeObserver
from tflite_eq.statistics.ranges import Interval


@dataclasses.dataclass
class PassTrace:
    """Some ten kilobytes per tensor.

    Attributes:
        extremes: Smallest and largest FP32 value over the calibration data in the network as it was
            given, by tensor index.
        observers: FP32 ranges over the calibration data by tensor index, in the network that is
            quantized: ``--equalization`` may have scaled channels.
        activation_searches: Candidates for the scale of a tensor by tensor index; empty where
            nothing was searched.
        weight_searches: Candidates for the weight scales of a layer by operator index.
        keeps: How many of the calibration samples to keep, at most.
        kept: These, as arrays in input order, to run the finished models on.
        allocations: What was given more precision than its bits say, at which price and for which
            gain, or was not, in sentences.
    """

    extremes: dict[int, Interval] = dataclasses.field(default_factory=dict)
    observers: dict[int, RangeObserver] = dataclasses.field(default_factory=dict)
    activation_searches: dict[int, tuple[Trial, ...]] = dataclasses.field(default_factory=dict)
    weight_searches: dict[int, tuple[Trial, ...]] = dataclasses.field(default_factory=dict)
    keeps: int = 0
    kept: list[list[Array]] = dataclasses.field(default_factory=list)
    allocations: tuple[str, ...] = ()

    def become(self, other: PassTrace) -> None:
        """Take what another pass over the same samples has seen; the samples kept stay."""
        self.extremes, self.observers = other.extremes, other.observers
        self.activation_searches = other.activation_searches
        self.weight_searches = other.weight_searches

    def searches(self, tensors: Iterable[int], layers: Iterable[int]) -> dict[str, Any]:
        """The searches of these tensors and layers as JSON holds them; for a checkpoint."""
        return {
            "activations": {
                str(i): [dataclasses.astuple(t) for t in self.activation_searches.get(i, ())]
                for i in tensors
            },
            "weights": {
                str(i): [dataclasses.astuple(t) for t in self.weight_searches.get(i, ())]
                for i in layers
            },
        }

    def restore(self, searches: Mapping[str, Any]) -> None:
        """Take back what ``searches`` gave to an interrupted pass."""
        for kind, found in (
            ("activations", self.activation_searches),
            ("weights", self.weight_searches),
        ):
            for index, trials in searches.get(kind, {}).items():
                found[int(index)] = tuple(Trial(*trial) for trial in trials)
