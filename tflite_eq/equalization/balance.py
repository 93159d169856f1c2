"""Scaling channels so that activations and weights together lose least, with per-channel weights.

All channels of an activation tensor have one scale, so a channel that stays far below the largest
one uses few codes. Dividing it by s_c < 1 gives it more; where it is read, its weights become
smaller by the same factor, and share the scale of their filter with all others. So there is a best
factor between leaving a channel alone and filling the range with it. Where the channel is written,
a scale per output channel takes the factor for nothing.

The noise is predicted, not measured: in the output of a layer that reads the domain, with x the
inputs and w_kc the weights as they were,

    A = sum over c    s_c^2  q_c  sum over k and taps  w_kc^2
    B = sum over k    t_k^2 / 12  sum over c and taps  var(x_c) / s_c^2,    t_k = max |w_kc| s_c / L

with L the largest weight code and q_c the mean squared error of sampled values x_c / s_c under the
clipping that makes A least, behind the activation function that reads them. A mean over n positions
on the way to the layer divides q_c by n: rounding errors of positions are independent. (The means
of x are left out of B: what they cause is a shift of the output's mean, which bias correction
removes.) A + B, relative to the signal, is summed over the layers that read the domain. The factors
are looked for among

    s_c = product over tensors T   (reach of channel c / largest reach of a channel, in T) ^ e_T

One number per tensor cannot overfit. (Domains with many tensors, as chains of residual additions
are, get one number for the largest reach in any of them.) Each exponent ends at a half: the further
a channel fills the range with the calibration samples, the less room is left for others. (Measured
on held-back calibration images with Tiny Darknet and SqueezeNet 1.1: up to 1 they lose part of the
gain.)
Moving difficulty between activations and weights by a power is SmoothQuant's idea (arXiv
2211.10438), which scales the inputs of dense layers by one exponent for the whole network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tflite_eq.equalization.domains import Domain, DomainLayer
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.equalization.layers import Double, Filters
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import SAME_SCALE
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.statistics.channels import ChannelStatistics

# A channel that reaches less than this part of the largest one is treated as if it reached so much:
# other samples may make it go further.
_LEAST_REACH = 1 / 64

# A reader whose output varies by less than this part of what its largest inputs could make is taken
# for constant: with one sample behind a spatial mean, no ratio of noise to signal is known.
_LEAST_SIGNAL = 1e-6

_EXPONENTS = np.linspace(0, 0.5, 5)
_MAX_SWEEPS = 4
_MOST_EXPONENTS = 3

# Sampled values of a tensor that factors are tried on, in all channels together.
_MOST_VALUES = 1 << 17

# Candidate ends of the range as fractions of the largest value.
_CLIPS_PER_OCTAVE = 4
_CLIPS = 2.0 ** (-np.arange(0, 13) / _CLIPS_PER_OCTAVE)
_CLIPPED_OCTAVES = (len(_CLIPS) - 1) / _CLIPS_PER_OCTAVE

# Octaves that rounding cannot take a logarithm across.
_MARGIN = 1e-9


@dataclasses.dataclass(frozen=True)
class Precision:
    """How finely a network is to be quantized.

    Attributes:
        activation_steps: Code steps from one end of the range to the other, of a group of tensors
            that share a scale.
        weight_limit: Largest code of a layer's weights, by operator index.
        is_symmetric: Whether ranges of activations reach as far below 0 as above it, whatever the
            values; else each end is where the values want it.
    """

    activation_steps: Callable[[ScaleGroup], int]
    weight_limit: Callable[[int], int]
    is_symmetric: bool = False


def balancing_factors(
    graph: Graph,
    domain: Domain,
    statistics: Mapping[int, ChannelStatistics],
    groups: Mapping[int, ScaleGroup],
    precision: Precision,
) -> ChannelFactors | None:
    """The factors under which the least noise is predicted; None where it is best to have none.

    Args:
        graph: The float network.
        domain: Channels to be scaled.
        statistics: Of all tensors of the domain, by tensor index.
        groups: Scale groups by tensor index.
        precision: Numbers of codes.
    """
    if domain.is_clipped:
        return None  # a channel that does not reach 6 on these samples may do so on others
    noise = PredictedNoise(graph, domain, statistics, groups, precision)
    exponents = np.zeros(len(noise.reaches))
    least = noise.total(noise.factors(exponents))
    for _ in range(_MAX_SWEEPS):
        before = least
        for i in range(len(exponents)):
            for exponent in _EXPONENTS[exponents[i] != _EXPONENTS]:
                trial = exponents.copy()
                trial[i] = exponent
                found = noise.total(noise.factors(trial))
                if found < least:
                    exponents, least = trial, found
        if least == before or len(exponents) == 1:
            break
    if not exponents.any():
        return None
    return ChannelFactors.of(domain, noise.factors(exponents))


class _Side:
    """Values of one sign that a tensor takes, as magnitudes."""

    def __init__(self, tensor: int, own: slice, values: Double, slope: float) -> None:
        """Keep what is not 0 of ``values`` [n, C] of a tensor, the domain's channels ``own``.

        ``slope`` is what the function that reads the tensor leaves of errors here.
        """
        self._tensor = tensor
        self._largest = values.max(axis=0, initial=0.0)
        channels, rows = np.nonzero(values.T)
        logs = np.log2(values[rows, channels])
        # Where a channel's largest value is below all ends whatever the factors, so are others:
        # most of them, which need not be looked at each time.
        reached = np.log2(np.where(self._largest > 0, self._largest, 1.0))
        chosen = np.flatnonzero(logs >= reached[channels] - _CLIPPED_OCTAVES - _MARGIN)
        self._channels, self._logs = channels[chosen], logs[chosen]
        self._values = values[rows[chosen], self._channels]
        self._kept = np.bincount(self._channels, minlength=values.shape[1])
        self._counts = np.count_nonzero(values, axis=0)
        self._own = own
        self._share = slope**2 / max(len(values), 1)

    def largest(self, factors: Double) -> float:
        """Largest value that is left when channels are divided by factors."""
        return float((self._largest / factors[self._own]).max(initial=0.0))

    def errors(
        self, factors: Double, importance: Mapping[int, Double], largest: float
    ) -> tuple[Double, float]:
        """Weighted errors of clipping at ``largest * _CLIPS``, and the weight of all values."""
        own = factors[self._own]
        weights = importance[self._tensor][self._own] * own**2 * self._share
        inside = float(weights @ self._counts)
        if largest <= 0:
            return np.zeros(len(_CLIPS)), inside
        # Most values lie below all ends: only the others are looked at any further.
        reach = np.log2(largest) + np.log2(own)
        lowest = np.repeat(reach - _CLIPPED_OCTAVES, self._kept)
        chosen = np.flatnonzero(self._logs >= lowest)
        channels = self._channels[chosen]
        # The first end that a value lies above.
        beyond = np.ceil((reach[channels] - self._logs[chosen]) * _CLIPS_PER_OCTAVE)
        bins = np.clip(beyond.astype(np.intp), 0, len(_CLIPS) - 1)
        moments = np.zeros((3, len(_CLIPS)))
        term = weights[channels]
        scaled = self._values[chosen] / own[channels]
        for power in range(3):
            moments[power] = np.bincount(bins, term, len(_CLIPS))
            term = term * scaled
        number, linear, square = np.cumsum(moments, axis=1)
        ends = largest * _CLIPS
        return np.maximum(square - 2 * ends * linear + ends**2 * number, 0.0), inside


class _Quantized:
    """Tensors of a domain that share a scale."""

    def __init__(self, channels: int, steps: int, is_symmetric: bool) -> None:
        """Start with no tensor; ``steps`` is the number of code steps from end to end."""
        self._largest = np.zeros(channels)
        self._steps = steps
        self._is_symmetric = is_symmetric
        self._sides: tuple[list[_Side], list[_Side]] = ([], [])  # above and below 0

    def add(self, tensor: int, own: slice, statistics: ChannelStatistics, slope: float) -> None:
        """Add a tensor whose values are rounded, with the slope for errors of negative ones."""
        values = statistics.sampled
        values = values[:: max(1, -(-values.size // _MOST_VALUES))].astype(np.float64)
        self._largest[own] = np.maximum(self._largest[own], statistics.largest)
        self._sides[0].append(_Side(tensor, own, np.maximum(values, 0), 1.0))
        self._sides[1].append(_Side(tensor, own, np.maximum(-values, 0), slope))

    def reach(self) -> Double:
        """Each channel's largest magnitude by that of all channels; 1 for dead channels."""
        top = self._largest.max(initial=0.0)
        if top == 0:
            return np.ones_like(self._largest)
        relative = np.maximum(self._largest / top, _LEAST_REACH)
        return np.where(self._largest > 0, relative, 1.0)

    def noise(self, factors: Double, importance: Mapping[int, Double]) -> float:
        """Least weighted error under any clipping, in units of the unscaled network.

        Args:
            factors: What channels are divided by, [C].
            importance: Weight of each channel's squared error, [C], by tensor index.
        """
        largest = [max((x.largest(factors) for x in sides), default=0.0) for sides in self._sides]
        if self._is_symmetric:
            largest = [max(largest)] * 2
        clipped, inside = [], 0.0
        for sides, reach in zip(self._sides, largest):
            lost = np.zeros(len(_CLIPS))
            for side in sides:
                errors, weight = side.errors(factors, importance, reach)
                lost += errors
                inside += weight
            clipped.append(lost)
        above, below = (reach * _CLIPS for reach in largest)
        step = (above[:, None] + below) / self._steps
        noise = clipped[0][:, None] + clipped[1] + inside * step**2 / 12
        if self._is_symmetric:
            noise = np.diag(noise)  # one candidate for both ends
        return float(noise.min())


@dataclasses.dataclass(frozen=True)
class _Reader:
    """A layer that reads the domain.

    Attributes:
        own: Where its input channels are in the domain.
        shares: What is left of a squared error in a tensor where the layer reads it, by index of
            the tensors that lead there.
        energy: Sum of the squared weights that read each channel, [C].
        peaks: Largest weight by output and input channel, in code steps, [K, C]; None of a
            depthwise layer, whose every channel has a scale that takes the factor for nothing.
        variance: Of the input channels, times the number of taps, [C].
        signal: Energy of the output.
    """

    own: slice
    shares: Mapping[int, float]
    energy: Double
    peaks: Double | None
    variance: Double
    signal: float

    def noise(self, factors: Double) -> float:
        """Predicted noise to signal ratio of the output."""
        if self.peaks is None:
            return 0.0
        own = factors[self.own]
        steps = (self.peaks * own).max(axis=1)
        return float((steps**2).sum() / 12 * (self.variance / own**2).sum()) / self.signal


class PredictedNoise:
    """The noise that a domain's factors lead to in the layers that read it.

    Attributes:
        reaches: What factors are made of: how far channels reach in each tensor, [C].
    """

    def __init__(
        self,
        graph: Graph,
        domain: Domain,
        statistics: Mapping[int, ChannelStatistics],
        groups: Mapping[int, ScaleGroup],
        precision: Precision,
    ) -> None:
        members: dict[tuple[int, ...], list[int]] = {}
        for tensor in domain.tensors:
            members.setdefault(groups[tensor].tensors, []).append(tensor)
        self._tensors = [
            _quantized(graph, domain, same, statistics, groups[same[0]], precision)
            for same in members.values()
        ]
        reaches = [tensor.reach() for tensor in self._tensors]
        self.reaches = reaches if len(reaches) <= _MOST_EXPONENTS else [np.max(reaches, axis=0)]
        readers = (
            _reader(graph, domain, port, statistics, precision.weight_limit(port.operator))
            for port in domain.consumers
        )
        self._readers = [reader for reader in readers if reader is not None]
        self._importance = {tensor: np.zeros(domain.channels) for tensor in domain.tensors}
        for reader in self._readers:
            for tensor, share in reader.shares.items():
                self._importance[tensor][reader.own] += share * reader.energy / reader.signal
        self._channels = domain.channels

    def factors(self, exponents: Double) -> Double:
        """Factors for one exponent per reach."""
        found = np.ones(self._channels)
        for exponent, reach in zip(exponents, self.reaches):
            found *= reach**exponent
        return found

    def of_activations(self, factors: Double) -> float:
        """A: sum of the noise to signal ratios that rounding the domain's tensors leads to."""
        return sum(tensor.noise(factors, self._importance) for tensor in self._tensors)

    def of_weights(self, factors: Double) -> float:
        """B: sum of the noise to signal ratios that rounding the readers' weights leads to."""
        return sum(reader.noise(factors) for reader in self._readers)

    def total(self, factors: Double) -> float:
        """Sum of the noise to signal ratios of all layers that read the domain."""
        return self.of_activations(factors) + self.of_weights(factors)


def _quantized(
    graph: Graph,
    domain: Domain,
    tensors: list[int],
    statistics: Mapping[int, ChannelStatistics],
    group: ScaleGroup,
    precision: Precision,
) -> _Quantized:
    steps = precision.activation_steps(group)
    found = _Quantized(domain.channels, steps, precision.is_symmetric)
    for tensor in tensors:
        producer = graph.producer(tensor)
        if producer is not None and producer.kind in SAME_SCALE:
            continue  # codes are passed on, nothing is rounded
        offset = domain.tensors[tensor]
        own = slice(offset, offset + int(graph.tensors[tensor].shape[-1]))
        found.add(tensor, own, statistics[tensor], _slope(graph, tensor))
    return found


def _slope(graph: Graph, tensor: int) -> float:
    """What the functions that alone read a tensor leave of an error of its negative values."""
    consumers = graph.consumers(tensor)
    if consumers and all(o.kind == "LEAKY_RELU" for o in consumers):
        return max(abs(float(o.options.alpha)) for o in consumers)
    return 0.0 if consumers and all(o.kind == "RELU" for o in consumers) else 1.0


def _shares(graph: Graph, domain: Domain, read: int) -> dict[int, float]:
    """How much of a squared error is left in tensor ``read``, by index of the tensor it is in."""
    shares = {read: 1.0}
    for operator in reversed(graph.operators):
        if properties.linear_kind(operator) is not None:
            continue
        for output in shares.keys() & set(operator.outputs):
            share = shares[output] / _averaged(graph, operator)
            for tensor in domain.tensors.keys() & set(operator.inputs):
                shares[tensor] = max(shares.get(tensor, 0.0), share)
    return shares


def _averaged(graph: Graph, operator: Operator) -> int:
    """Number of values whose mean each result of an operator is."""
    if operator.kind == "AVERAGE_POOL_2D":
        return int(operator.options.filterHeight * operator.options.filterWidth)
    if operator.kind == "MEAN":
        shape = graph.tensors[operator.inputs[0]].shape
        return int(np.prod([shape[axis] for axis in graph.constant(operator.inputs[1]).flat]))
    return 1


def _reader(
    graph: Graph,
    domain: Domain,
    port: DomainLayer,
    statistics: Mapping[int, ChannelStatistics],
    limit: int,
) -> _Reader | None:
    """What a layer does with the domain; None if its output is not known to vary."""
    filters = Filters(graph, port.operator)
    read = properties.linear_inputs(graph.operators[port.operator])[0]
    variance = statistics[read].variance
    weights = filters.by_channels()
    if filters.is_depthwise:
        energy = (weights**2).sum(axis=(1, 2)).reshape(filters.inputs, -1).sum(axis=1)
        peaks = None
    else:
        energy = (weights**2).sum(axis=(0, 1))
        peaks = np.abs(weights).max(axis=1) / limit
    signal = float(energy @ variance)
    if signal <= _LEAST_SIGNAL * float(energy @ statistics[read].largest ** 2):
        return None
    own = slice(port.offset, port.offset + filters.inputs)
    shares = _shares(graph, domain, read)
    return _Reader(own, shares, energy, peaks, variance * weights.shape[1], signal)
