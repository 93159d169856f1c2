"""What a calibration pass looked at on its way, for reports; results do not depend on it."""

from __future__ import annotations

import dataclasses

from tflite_eq.calibration.dataset import SpreadSubset
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.search.easyquant import Trial


@dataclasses.dataclass
class PassTrace:
    """Some ten kilobytes per tensor.

    A pass that goes on where an earlier one stopped fills in only what it does itself.

    Attributes:
        observers: FP32 ranges over the calibration data by tensor index.
        activation_searches: Candidates for the scale of a tensor by tensor index; empty where
            nothing was searched.
        weight_searches: Candidates for the weight scales of a layer by operator index.
        kept: Some of the calibration samples, to run the finished models on.
    """

    observers: dict[int, RangeObserver] = dataclasses.field(default_factory=dict)
    activation_searches: dict[int, tuple[Trial, ...]] = dataclasses.field(default_factory=dict)
    weight_searches: dict[int, tuple[Trial, ...]] = dataclasses.field(default_factory=dict)
    kept: SpreadSubset = dataclasses.field(default_factory=lambda: SpreadSubset(0))
