"""A network run again with some of its values changed, as far as these are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]
Values = dict[int, Array]


class AlteredNetwork:
    """A network, operator by operator, one sample at a time."""

    def __init__(self, graph: Graph) -> None:
        """Compile all operators."""
        self._operators = graph.operators
        self._runners = [OperatorRunner(graph, operator) for operator in graph.operators]

    def run(self, inputs: Mapping[int, Array]) -> Values:
        """All activations by tensor index."""
        values = dict(inputs)
        for position in range(len(self._runners)):
            values.update(self._outputs(position, values))
        return values

    def run_with(
        self,
        values: Values,
        changed: Mapping[int, Array],
        targets: Sequence[int],
        again: Callable[[int, Array], Array] = lambda tensor, value: value,
    ) -> list[Array]:
        """Targets once some tensors have other values; only what depends on these runs.

        Args:
            values: All activations, of ``run``.
            changed: The other values by tensor index.
            targets: Tensor indices.
            again: What becomes of a value that is computed anew, given its tensor's index.
        """
        found = dict(changed)
        for position, runner in enumerate(self._runners):
            if found.keys() & set(runner.feeds):
                made = self._outputs(position, {**values, **found})
                found.update({index: again(index, value) for index, value in made.items()})
        return [found.get(target, values[target]) for target in targets]

    def _outputs(self, position: int, values: Mapping[int, Array]) -> Values:
        runner = self._runners[position]
        made = runner.run([values[index] for index in runner.feeds])
        return dict(zip(self._operators[position].outputs, made))
