"""Sampled values of both networks, in the form the search compares them in."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tflite_eq.config import BiasCorrection, Config
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.precision import weights_grid
from tflite_eq.search.easyquant import LayerReader, Rows, SampledRows
from tflite_eq.search.objective import Criterion
from tflite_eq.search.rows import gather_rows, grouped_filters, row_positions
from tflite_eq.search.sample_weights import Samples
from tflite_eq.simulation.averages import AveragedRows, Averages
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]

# Values of a tensor that are looked at where no rows are, over all samples.
_SAMPLED_VALUES = 100_000


class SampledValues(NamedTuple):
    """Values of one tensor at random positions, [n] each.

    Attributes:
        values: Of the quantized network.
        exact: Of the FP32 network.
        positions: Where in the flattened tensor, or in what a view makes of it.
        samples: Whose they are.
    """

    values: Float
    exact: Float
    positions: npt.NDArray[np.int64]
    samples: Samples


def criterion(config: Config) -> Criterion:
    """What the search compares candidates by."""
    return Criterion(config.objective, config.bias_correction is not BiasCorrection.NONE)


def sampled_values(
    twins: TwinActivations,
    tensor: int,
    seed: int,
    view: Callable[[Float], Float] = lambda values: values,
) -> SampledValues:
    """Values of the quantized and of the FP32 network at the same random positions.

    Args:
        twins: Activations of both networks, which have computed the tensor.
        tensor: The tensor.
        seed: Decides the positions.
        view: Taken of the whole tensor of one sample first.
    """
    rng = np.random.default_rng([seed, tensor])
    samples, per_sample = _share(_SAMPLED_VALUES, twins.samples)
    values, exact, at, numbers = [], [], [], []
    for sample in samples:
        quantized = view(twins.quantized_values(tensor, sample)).ravel()
        chosen = rng.integers(quantized.size, size=min(per_sample, quantized.size))
        values.append(quantized[chosen])
        exact.append(view(twins.float_values(tensor, sample)).ravel()[chosen])
        at.append(chosen)
        numbers.append(np.full(len(chosen), sample))
    return SampledValues(
        np.concatenate(values),
        np.concatenate(exact),
        np.concatenate(at),
        Samples(np.concatenate(numbers), twins.shares),
    )


@dataclasses.dataclass(frozen=True)
class LayerSamples:
    """A layer's inputs and FP32 outputs at sampled positions.

    Attributes:
        rows: Inputs in the quantized network, sample by sample.
        output: FP32 output at the same positions without bias, [groups, rows, K / groups].
        ends: Where the rows of each sample end, [samples].
        samples: Whose the rows are; ``None`` pools them all.
        share: One of how many rows the activation scale is to be judged on.
    """

    rows: Rows
    output: Float
    ends: tuple[int, ...]
    samples: Samples | None
    share: int


def make_layer_reader(
    layer: LinearLayer,
    twins: TwinActivations,
    config: Config,
    int7: bool,
    averages: Averages | None = None,
) -> LayerReader:
    """A layer with its sampled inputs and FP32 outputs; ``supports_rows`` must hold.

    Args:
        layer: The layer; the networks have computed its input.
        twins: Activations of both networks.
        config: Options.
        int7: Whether the layer's input gets 7 bits.
        averages: Those inside the group of the layer's input, if that is not settled.
    """
    sampled = sampled_layer(layer, twins, config, averages)
    return LayerReader(
        layer.filters,
        layer.groups,
        sampled.rows,
        sampled.output,
        weights_grid(layer, int7, config),
        criterion(config),
        config.per_tensor,
        sampled.share,
        sampled.samples,
        layer.copies,
    )


def sampled_layer(
    layer: LinearLayer,
    twins: TwinActivations,
    config: Config,
    averages: Averages | None = None,
) -> LayerSamples:
    """What a layer reads and writes at sampled positions; arguments as above."""
    rng = np.random.default_rng([config.seed, layer.operator.index])
    depth = layer.groups * layer.filters[0].size
    samples, per_sample = _share(config.search.rows_for(layer.filters.size, depth), twins.samples)
    positions, exact = [], []
    for sample in samples:
        reference = twins.float_values(layer.input, sample)
        at = row_positions(layer, reference.shape, per_sample, rng)
        positions.append((sample, at))
        exact.append(gather_rows(layer, reference, at))
    share = config.search.activation_share
    rows: Rows
    if averages is not None and layer.input in averages.tensors:
        share = 1  # Taking averages costs the same for few rows.
        rows = AveragedRows(averages, layer, positions)
    else:
        rows = SampledRows(
            np.concatenate(
                [
                    gather_rows(layer, twins.quantized_values(layer.input, sample), at)
                    for sample, at in positions
                ],
                axis=1,
            ),
            _row_shifts(layer, twins),
        )
    filters = grouped_filters(layer, layer.filters)
    output = np.matmul(np.concatenate(exact, axis=1), filters.transpose(0, 2, 1))
    ends = tuple(itertools.accumulate(len(at) for _, at in positions))
    return LayerSamples(rows, output, ends, whose(positions, twins), share)


def _row_shifts(layer: LinearLayer, twins: TwinActivations) -> Float | None:
    """What a layer's inputs are shifted by before they are rounded, [groups, 1, D]."""
    shifts = twins.shifts.get(layer.input)
    if shifts is None:
        return None
    taps = int(np.prod(layer.filters.shape[1:-1], dtype=np.int64))
    return np.tile(shifts.reshape(layer.groups, 1, -1), (1, 1, taps))


def whose(
    positions: Sequence[tuple[int, npt.NDArray[np.int64]]], twins: TwinActivations
) -> Samples | None:
    """Whose rows are, where some samples count less than others; ``None`` pools them all.

    Without loud samples errors by sample were no better on any network (docs/experiments.md).

    Args:
        positions: Numbers of samples, each with its rows.
        twins: Says what samples count.
    """
    if twins.shares is None:
        return None
    return Samples(np.concatenate([np.full(len(at), n) for n, at in positions]), twins.shares)


def _share(positions: int, samples: int) -> tuple[list[int], int]:
    """Which samples to look at, and at how many positions of each, for so many in all.

    All of them, unless there are more samples than positions: then as many, evenly spread.
    """
    if samples <= positions:
        return list(range(samples)), -(-positions // samples)
    return [number * samples // positions for number in range(positions)], 1
