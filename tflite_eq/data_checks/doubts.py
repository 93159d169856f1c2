"""What is doubtful about calibration data, said before minutes are spent on them.

Nothing here changes a result: data that look wrong may be right. What looks wrong by itself - one
sample, all the same, constants - is seen in the data alone; whether values have been scaled as
the network was trained with them is left to ``input_scale``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tflite_eq.data.input_order import doubt_about_order
from tflite_eq.data.stored_samples import StoredSamples, spread_positions
from tflite_eq.data_checks.feature_ranges import FeatureRanges
from tflite_eq.data_checks.input_scale import (
    Look,
    Range,
    doubt_about_scale,
    looked_at,
    tensors_to_look_at,
)
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph

# Samples that the float network is run on.
_LOOKED_AT = 8

# Samples that differ by less than this part of what varies inside them are as good as one.
_NEARLY_EQUAL = 0.01

# Smaller samples (a few features, a few codes) may well come twice.
_FEWEST_VALUES = 64

# Values of an input of one sample that are compared between samples, evenly spread.
_VARYING = 1 << 14

# As many digests are kept to count different samples: 1 MB.
_MOST_DIGESTS = 1 << 16

_STEPS = 255

_MORE = "Give samples as the network will meet them, about 50"


def values_for_doubts(graph: Graph, count: int) -> dict[int, set[int]]:
    """Tensors that ``doubts_about`` wants to know, by the number of a sample of so many."""
    tensors = tensors_to_look_at(graph, linear_layers(graph))
    return dict.fromkeys(spread_positions(count, _LOOKED_AT), tensors)


def doubts_about(
    graph: Graph,
    samples: StoredSamples,
    known: Mapping[int, Mapping[int, npt.NDArray[np.float32]]] | None = None,
) -> list[str]:
    """What a user should check about the calibration data, one sentence each with the remedy.

    Args:
        graph: The float network as it was given.
        samples: The calibration samples.
        known: What the network computes for some of them, see ``values_for_doubts``.

    Raises:
        ModelError: The network cannot be run, or computes NaN, infinity or huge values.
    """
    floats = [index for index in graph.inputs if graph.tensors[index].is_float]
    features = FeatureRanges(graph, floats)
    facts = _facts(samples, floats, features)
    found = [_constant(graph, index, facts) for index in floats]
    found += [_too_few(facts), _too_many_blank(facts)]
    found += [doubt_about_order(graph) if samples.by_position else ""]
    layers = linear_layers(graph)
    found += [features.doubt(layers.values(), index) for index in floats]
    doubts = [doubt for doubt in found if doubt]
    if any(facts.is_constant(index) for index in floats):
        return doubts
    look = looked_at(graph, layers, samples, _LOOKED_AT, known or {})
    scales = [doubt_about_scale(graph, index, facts.ranges[index], look) for index in floats]
    doubts += [doubt for doubt in scales if doubt]
    if not any(scales) and not facts.are_equal and _outputs_are_equal(look):
        doubts.append(
            "the float network's outputs are the same for all calibration samples, to within a "
            "code of int8, although the samples differ: check that the samples are what the "
            "network takes, and the preprocessing"
        )
    return doubts


@dataclasses.dataclass(frozen=True)
class _Facts:
    """What the samples themselves show.

    Attributes:
        count: Number of samples.
        values: Float values of one sample.
        different: Number of different samples, as far as counted.
        spread: RMS of what differs between samples by that of what varies inside them; infinite
            where shapes differ.
        blank: Number of samples all of whose float values are the same.
        ranges: Smallest and largest value by tensor index.
    """

    count: int
    values: int
    different: int
    spread: float
    blank: int
    ranges: dict[int, Range]

    @property
    def are_equal(self) -> bool:
        """Whether the samples are as good as one."""
        return self.different == 1 or self.spread < _NEARLY_EQUAL

    def is_constant(self, index: int) -> bool:
        """Whether an input has but one value."""
        low, high = self.ranges[index]
        return low == high


def _facts(samples: StoredSamples, floats: list[int], features: FeatureRanges) -> _Facts:
    digests: set[bytes] = set()
    ranges = dict.fromkeys(floats, (np.inf, -np.inf))
    blank = 0
    variation = _Variation()
    for sample in samples:
        if len(digests) < _MOST_DIGESTS:
            content = hashlib.blake2b(digest_size=16)
            for values in sample.values():
                content.update(values.tobytes())
            digests.add(content.digest())
        ends = {index: _ends(sample[index]) for index in floats}
        for index, (low, high) in ends.items():
            ranges[index] = min(ranges[index][0], low), max(ranges[index][1], high)
        blank += bool(ends) and all(low == high for low, high in ends.values())
        features.add(sample)
        variation.add([sample[index] for index in floats])
    several = len(digests) > 1
    return _Facts(
        count=samples.count,
        values=sum(int(samples[0][index].size) for index in floats),
        different=len(digests),
        spread=variation.relative if several and floats else np.inf,
        blank=blank,
        ranges=ranges,
    )


def _ends(values: npt.NDArray[np.float32]) -> Range:
    """Smallest and largest value; of none, an interval that holds nothing."""
    # Adding 0 makes 0 of -0, which messages would show.
    return float(values.min(initial=np.inf)) + 0.0, float(values.max(initial=-np.inf)) + 0.0


class _Variation:
    """How much samples differ from each other, by how much each varies inside."""

    def __init__(self) -> None:
        self._shapes: list[tuple[int, ...]] = []
        self._first: list[npt.NDArray[np.float32]] = []
        self._sums: list[npt.NDArray[np.float64]] = []
        self._squares = self._inside = 0.0
        self._count = 0

    def add(self, values: list[npt.NDArray[np.float32]]) -> None:
        shapes = [value.shape for value in values]
        values = [value.ravel()[:: max(1, -(-value.size // _VARYING))] for value in values]
        if not self._count:
            self._shapes, self._first = shapes, values
            self._sums = [np.zeros(value.shape) for value in values]
        if shapes != self._shapes:
            self._inside = -1.0  # not comparable
        if self._inside < 0:
            return
        for value, first, total in zip(values, self._first, self._sums):
            difference = value.astype(np.float64) - first
            total += difference
            self._squares += float(np.vdot(difference, difference))
            self._inside += float(value.var(dtype=np.float64)) * value.size
        self._count += 1

    @property
    def relative(self) -> float:
        """RMS between the samples by RMS inside them; infinite where that says nothing."""
        if self._inside <= 0:
            return np.inf
        means = sum(float(np.vdot(total, total)) for total in self._sums) / self._count
        return float(np.sqrt(max(self._squares - means, 0.0) / self._inside))


def _too_few(facts: _Facts) -> str | None:
    if facts.count == 1:
        return f"calibration saw one sample only: scales fit that one. {_MORE} (--num_samples 50)"
    cause = "a function that yields samples must go on to the next one each time"
    if facts.different == 1:
        return f"all {facts.count} calibration samples are the same: {cause}. {_MORE}"
    if facts.spread < _NEARLY_EQUAL:
        return (
            f"the {facts.count} calibration samples are nearly the same: they differ by "
            f"{facts.spread:.2%} of what varies inside them. {_MORE}, different from each other"
        )
    is_counted = facts.different < _MOST_DIGESTS and facts.values >= _FEWEST_VALUES
    if is_counted and 2 * facts.different <= facts.count:
        return (
            f"only {facts.different} of the {facts.count} calibration samples are different, the "
            f"others repeat them. {_MORE}"
        )
    return None


def _too_many_blank(facts: _Facts) -> str | None:
    if facts.values < _FEWEST_VALUES or facts.different == 1 or 2 * facts.blank <= facts.count:
        return None
    return (
        f"{facts.blank} of the {facts.count} calibration samples are blank, one value all over: "
        "check how they are read"
    )


def _constant(graph: Graph, index: int, facts: _Facts) -> str | None:
    """Doubt about an input that has one value; a single number may well be a setting."""
    tensor = graph.tensors[index]
    if not facts.is_constant(index) or int(np.prod(np.abs(tensor.shape), dtype=np.int64)) < 2:
        return None
    return (
        f"input '{tensor.name}' is {facts.ranges[index][0]:g} in all calibration samples, so "
        "nothing is known about its range: check how the samples are made"
    )


def _outputs_are_equal(look: Look) -> bool:
    """Whether no value of any output differs by an int8 code of its range between samples."""
    if not look.outputs or len(look.outputs[0]) < 2:
        return False
    for values in look.outputs:
        if len({v.shape for v in values}) > 1:
            return False
        stacked = np.stack(values)
        low, high = min(float(stacked.min()), 0.0), max(float(stacked.max()), 0.0)
        if float(np.ptp(stacked, axis=0).max(initial=0.0)) * _STEPS >= high - low:
            return False
    return True
