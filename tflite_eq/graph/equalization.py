"""Cross-layer equalization (arXiv 1906.04721, section 4.1) on a float network.

Between two layers that only functions with f(s x) = s f(x) separate, channel c may be divided by
any s_c > 0 in the first and multiplied by it in the second without changing what the network
computes. With r1_c and r2_c the largest weights that write and read the channel,

    s_c = sqrt(r1_c / r2_c)                                           (eq. 11)

makes both sides equal to sqrt(r1_c r2_c), so that one scale per tensor serves all channels as well
as the product of the ranges allows. Pairs that overlap are repeated until nothing changes.

Two things bound the factors, both by what channels reach on the calibration samples. Dividing a
channel by a small s_c makes its activations large, and a scale per tensor has to hold those as
well; so no channel may come to exceed what the largest channel of its tensor reaches. (The paper
lets them grow and then moves constant parts into the next bias.) And ReLU6 passes scaling on only
below 6. The paper replaces it with ReLU, which changes the network wherever it did clip. Here it
stays; channels that come near 6 keep s_c = 1, and the others stay below it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind

Double = npt.NDArray[np.float64]

_RELU6_BOUND = 6.0

# Part of the bound that a channel must stay below: other samples may reach a little further.
_MARGIN = 0.9

# Factors beyond these come from weights next to nothing.
_LARGEST_FACTOR = 2.0**10

_MAX_SWEEPS = 100
_SETTLED = 1e-3

_HOMOGENEOUS_ACTIVATIONS = ("NONE", "RELU", "RELU6")
_PASS_ON = frozenset({"AVERAGE_POOL_2D", "LEAKY_RELU", "MAX_POOL_2D", "RELU"})
_EQUALIZABLE = (LinearKind.CONV, LinearKind.DEPTHWISE, LinearKind.DENSE)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two layers joined by functions that scaling passes through.

    Attributes:
        producer: Index of the operator that writes the channels.
        consumer: Index of the only one that reads them.
        tensor: The producer's output.
        is_clipped: Whether the producer ends in a ReLU6.
    """

    producer: int
    consumer: int
    tensor: int
    is_clipped: bool


@dataclasses.dataclass(frozen=True)
class ChannelFactors:
    """What channels between two layers are divided by.

    Attributes:
        producer: Index of the operator whose output channels are divided.
        consumer: Index of the operator whose input channels are multiplied.
        factors: One per channel, > 0.
    """

    producer: int
    consumer: int
    factors: tuple[float, ...]


def find_pairs(graph: Graph, skipped: Set[int]) -> list[Pair]:
    """All pairs of layers that can be equalized, in execution order; every layer has a bias."""
    pairs = []
    for operator in graph.operators:
        if not _is_equalizable(graph, operator, skipped):
            continue
        activation = properties.fused_activation(operator)
        if activation not in _HOMOGENEOUS_ACTIVATIONS:
            continue
        tensor = operator.outputs[0]
        consumer = _sole_consumer(graph, tensor)
        while consumer is not None and _passes_on(graph, consumer):
            tensor = consumer.outputs[0]
            consumer = _sole_consumer(graph, tensor)
        if (
            consumer is not None
            and _is_equalizable(graph, consumer, skipped)
            and properties.linear_inputs(consumer)[0] == tensor
            and _reads_channels(graph, consumer, tensor)
        ):
            pairs.append(
                Pair(operator.index, consumer.index, operator.outputs[0], activation == "RELU6")
            )
    return pairs


def equalizing_factors(
    graph: Graph, pairs: Sequence[Pair], largest: Mapping[int, Double]
) -> list[ChannelFactors]:
    """Factors for all pairs.

    Args:
        graph: The float network.
        pairs: Its pairs.
        largest: Largest magnitude of each channel over the calibration samples, [C], of the tensor
            of each pair.
    """
    filters = {}
    for index in {i for pair in pairs for i in (pair.producer, pair.consumer)}:
        _, stored, _ = properties.linear_inputs(graph.operators[index])
        filters[index] = np.abs(graph.constant(stored).astype(np.float64))
    factors = [np.ones(_output_channels(graph, pair.producer)) for pair in pairs]
    for _ in range(_MAX_SWEEPS):
        change = 0.0
        for i, pair in enumerate(pairs):
            step = _pair_step(graph, pair, filters, factors[i], largest)
            filters[pair.producer] /= _along_outputs(graph, pair.producer, step)
            filters[pair.consumer] *= _along_inputs(graph, pair.consumer, step)
            factors[i] = factors[i] * step
            change = max(change, float(np.abs(np.log(step)).max(initial=0.0)))
        if change < _SETTLED:
            break
    return [
        ChannelFactors(pair.producer, pair.consumer, tuple(found.tolist()))
        for pair, found in zip(pairs, factors)
    ]


def with_factors(graph: Graph, equalization: Sequence[ChannelFactors]) -> Graph:
    """The network with channels scaled; up to float rounding it computes the same."""
    for pair in equalization:
        factors = np.asarray(pair.factors)
        _, filters, bias = properties.linear_inputs(graph.operators[pair.producer])
        _replace(graph, filters, 1 / _along_outputs(graph, pair.producer, factors))
        _replace(graph, bias, 1 / factors)
        _, filters, _ = properties.linear_inputs(graph.operators[pair.consumer])
        _replace(graph, filters, _along_inputs(graph, pair.consumer, factors))
    return Graph(graph.model, graph.origin)


def fits(graph: Graph, pair: ChannelFactors, pairs: Sequence[Pair]) -> bool:
    """Whether factors belong to a pair of the network and are as many as its channels."""
    known = any((p.producer, p.consumer) == (pair.producer, pair.consumer) for p in pairs)
    return known and len(pair.factors) == _output_channels(graph, pair.producer)


def _pair_step(
    graph: Graph,
    pair: Pair,
    filters: Mapping[int, Double],
    present: Double,
    largest: Mapping[int, Double],
) -> Double:
    """What to multiply the pair's factors by."""
    written = _largest_per_output(graph, pair.producer, filters[pair.producer])
    read = _largest_per_input(graph, pair.consumer, filters[pair.consumer])
    alive = (written > 0) & (read > 0)
    step = np.sqrt(np.where(alive, written, 1.0) / np.where(alive, read, 1.0))
    wanted = np.clip(present * step, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    reached = largest[pair.tensor]
    bound = float(reached.max(initial=0.0))
    if pair.is_clipped:
        bound = _MARGIN * _RELU6_BOUND
        alive &= reached < bound
    if bound > 0:
        wanted = np.maximum(wanted, reached / bound)
    return np.where(alive, wanted / present, 1.0)


def _is_equalizable(graph: Graph, operator: Operator, skipped: Set[int]) -> bool:
    """Whether the layer's weights can be scaled without touching another layer's."""
    if operator.index in skipped or properties.linear_kind(operator) not in _EQUALIZABLE:
        return False
    if not properties.has_constant_filter(graph, operator):
        return False
    _, filters, bias = properties.linear_inputs(operator)
    return graph.tensors[bias].is_constant and all(
        len(graph.consumers(tensor)) == 1 for tensor in (filters, bias)
    )


def _sole_consumer(graph: Graph, tensor: int) -> Operator | None:
    consumers = graph.consumers(tensor)
    return consumers[0] if len(consumers) == 1 and tensor not in graph.outputs else None


def _passes_on(graph: Graph, operator: Operator) -> bool:
    """Whether scaling an input channel scales the same channel of the output."""
    if operator.kind in _PASS_ON:
        return properties.fused_activation(operator) in ("NONE", "RELU")
    if operator.kind in ("PAD", "MEAN"):
        constant = operator.inputs[1]
        rank = len(graph.tensors[operator.inputs[0]].shape)
        if not graph.tensors[constant].is_constant or rank != 4:
            return False
        values = graph.constant(constant)
        if operator.kind == "PAD":
            return bool((values.reshape(-1, 2)[-1] == 0).all())
        return bool(np.isin(values % rank, (1, 2)).all())
    return False


def _reads_channels(graph: Graph, consumer: Operator, tensor: int) -> bool:
    """Whether the channels are what the consumer's filters are indexed by."""
    channels = graph.tensors[tensor].shape[-1]
    _, filters, _ = properties.linear_inputs(consumer)
    shape = graph.tensors[filters].shape
    if properties.linear_kind(consumer) is LinearKind.DEPTHWISE:
        return bool(shape[3] % channels == 0)
    return bool(shape[-1] == channels)


def _output_channels(graph: Graph, index: int) -> int:
    operator = graph.operators[index]
    _, filters, _ = properties.linear_inputs(operator)
    axis = properties.OUTPUT_CHANNEL_AXIS[LinearKind(operator.kind)]
    return int(graph.tensors[filters].shape[axis])


def _along_outputs(graph: Graph, index: int, values: Double) -> Double:
    """Values per output channel, shaped so that they broadcast over the stored filter."""
    operator = graph.operators[index]
    _, filters, _ = properties.linear_inputs(operator)
    shape = [1] * len(graph.tensors[filters].shape)
    shape[properties.OUTPUT_CHANNEL_AXIS[LinearKind(operator.kind)]] = -1
    return values.reshape(shape)


def _along_inputs(graph: Graph, index: int, values: Double) -> Double:
    """Values per input channel, shaped so that they broadcast over the stored filter."""
    operator = graph.operators[index]
    if LinearKind(operator.kind) is LinearKind.DEPTHWISE:
        return np.repeat(values, _output_channels(graph, index) // len(values))
    return values  # input channels come last


def _largest_per_output(graph: Graph, index: int, filters: Double) -> Double:
    axis = properties.OUTPUT_CHANNEL_AXIS[LinearKind(graph.operators[index].kind)]
    moved = np.moveaxis(filters, axis, 0)
    return np.asarray(moved.reshape(len(moved), -1).max(axis=1))


def _largest_per_input(graph: Graph, index: int, filters: Double) -> Double:
    largest = filters.reshape(-1, filters.shape[-1]).max(axis=0)
    operator = graph.operators[index]
    if LinearKind(operator.kind) is LinearKind.DEPTHWISE:
        activation, _, _ = properties.linear_inputs(operator)
        largest = largest.reshape(graph.tensors[activation].shape[-1], -1).max(axis=1)
    return np.asarray(largest)


def _replace(graph: Graph, tensor: int, factors: Double) -> None:
    """Multiply a constant; its buffer may be shared, so it gets one of its own."""
    values = (graph.constant(tensor).astype(np.float64) * factors).astype(np.float32)
    buffer = schema.schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    graph.subgraph.tensors[tensor].buffer = len(graph.model.buffers) - 1
