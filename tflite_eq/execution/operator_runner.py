"""Runs one operator of a network on arrays, by a TFLite interpreter over that operator alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import BackendError, ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.checks import describe
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session, Writable
from tflite_eq.threads import thread_count

Array = npt.NDArray[Any]

# XNNPACK makes NaN of 0, for which no int8 kernel has a code; TFLite's own kernels make infinity.
_WITHOUT_XNNPACK = frozenset({"RSQRT"})


class OperatorRunner:
    """One operator, compiled once, run for many samples.

    Attributes:
        feeds: Tensor indices (in the graph) that ``run`` needs values for.
    """

    def __init__(
        self,
        graph: Graph,
        operator: Operator,
        constants: Mapping[int, npt.NDArray[np.float32]] | None = None,
        drop_activation: bool = False,
    ) -> None:
        """Compile the operator; arguments as in ``edit.single_operator_model``.

        Raises:
            ModelError: The installed runtime cannot run this operator.
        """
        model, self.feeds = edit.single_operator_model(
            graph, operator, dict(constants or {}), drop_activation
        )
        threads = thread_count(edit.most_values(graph, [operator]))
        self._name = f"{graph.origin}: {describe(graph, operator)}"
        is_plain = operator.kind in _WITHOUT_XNNPACK
        kernels = Kernels.BUILTIN if is_plain else Kernels.DEFAULT
        try:
            made = preferred_runtime().interpreter(model, kernels, num_threads=threads)
            self._session = Session(made)
            self._session.allocate()
        except (BackendError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self._name} cannot be run by the TFLite runtime: {error}"
            ) from error

    def run(self, values: Sequence[Array | Writable]) -> list[Array]:
        """Outputs of the operator for one sample.

        Args:
            values: One array per entry of ``feeds``, in that order.
        """
        with self._naming_itself():
            return self._session.run(values)

    def hand_on(
        self, values: Sequence[Array | Writable], takers: Sequence[Callable[[Array], None]]
    ) -> None:
        """Compute one sample and let others look at the outputs, which saves copying them.

        Args:
            values: As for ``run``.
            takers: One for each output, in the operator's order; none keeps what it is given.
        """
        with self._naming_itself():
            self._session.compute(values)
        for take, view in zip(takers, self._session.views()):
            take(view)
            del view

    @contextlib.contextmanager
    def _naming_itself(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self._name} failed on calibration data: {error}") from error
