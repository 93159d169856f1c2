"""Averages inside a scale group: pools whose kernels hand on the scale of what they average.

AVERAGE_POOL_2D writes codes of its input's scale. That scale is decided when a layer behind the
pool first needs codes, and by then both networks have run the pool on values that were neither
clipped nor rounded. What a scale does to the means is only known by taking them again.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import numpy.typing as npt

from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.scale_groups import ScaleGroup
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.search.rows import gather_rows
from tflite_eq.simulation.twins import TwinActivations

Float = npt.NDArray[np.float32]


def operators_behind_averages(group: ScaleGroup) -> tuple[Operator, ...]:
    """The averaging operators inside a group and those that read their results there, in order."""
    found: list[Operator] = []
    averaged: set[int] = set()
    for operator in group.inside:
        if operator.kind in properties.AVERAGING or averaged.intersection(operator.inputs):
            found.append(operator)
            averaged.update(operator.outputs)
    return tuple(found)


class Averages:
    """The averages inside a group that is not settled, as far as the networks have come.

    Attributes:
        tensors: Tensors of the group that are averages or computed from them.
    """

    def __init__(self, graph: Graph, group: ScaleGroup, twins: TwinActivations) -> None:
        """Look at the operators that have run."""
        self._twins = twins
        self._group = frozenset(group.tensors)
        run = [o for o in operators_behind_averages(group) if twins.has_values(o.outputs[0])]
        self._operators = [(o, OperatorRunner(graph, o)) for o in run]
        self.tensors: Set[int] = frozenset(i for o in run for i in o.outputs)

    def under(self, tensor: int, sample: int, params: AffineParams) -> Float:
        """Values of an average or what is computed from it, if the group had these parameters.

        Args:
            tensor: One of ``tensors``.
            sample: Number of the sample.
            params: Scale and zero point of the group.

        Returns:
            Fake-quantized values, shaped as the tensor.
        """
        computed: dict[int, Float] = {}
        for operator, runner in self._operators:
            if tensor in computed:
                break
            values = [
                computed[i] if i in computed else self._source(i, sample, params)
                for i in runner.feeds
            ]
            for index, result in zip(operator.outputs, runner.run(values)):
                computed[index] = fake_quantize(result, params)
        return computed[tensor]

    def compute_again(self) -> None:
        """Take the averages of what the group's codes stand for, now that it is settled."""
        for operator, runner in self._operators:
            for sample in range(self._twins.samples):
                values = [self._twins.quantized_values(i, sample) for i in runner.feeds]
                for index, result in zip(operator.outputs, runner.run(values)):
                    self._twins.put_quantized(index, sample, result)

    def _source(self, tensor: int, sample: int, params: AffineParams) -> Float:
        values = self._twins.quantized_values(tensor, sample)
        return fake_quantize(values, params) if tensor in self._group else values


class AveragedRows:
    """Rows of a layer whose input is an average, or computed from one, of its own group."""

    def __init__(
        self,
        averages: Averages,
        layer: LinearLayer,
        positions: list[tuple[int, npt.NDArray[np.int64]]],
    ) -> None:
        """Take numbers of samples, each with output positions, see ``gather_rows``."""
        self._averages = averages
        self._layer = layer
        self._positions = positions

    def under(self, params: AffineParams, share: int = 1) -> Float:
        """See ``search.easyquant.Rows``."""
        rows = [
            gather_rows(self._layer, self._averages.under(self._layer.input, sample, params), at)
            for sample, at in self._positions
        ]
        return np.concatenate(rows, axis=1)[:, ::share]
