"""Which tensors hold codes that an elementwise function's kernel has looked up."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from tflite_eq.config import Forms
from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.runtimes import preferred_runtime
from tflite_eq.search.through import ELEMENTWISE
from tflite_eq.simulation.kernel_tables import KernelTable, kernel_table


class ElementwiseResults:
    """Tensors that elementwise operators write, and those that such results are handed on to."""

    def __init__(
        self,
        graph: Graph,
        skipped: Set[int],
        params: Mapping[int, AffineParams],
        forms: Forms,
    ) -> None:
        """Look at a network of which some operators stay in float.

        Args:
            graph: The float network.
            skipped: Indices of the operators that stay in float.
            params: Scale and zero point of every settled tensor.
            forms: What is written for operators.
        """
        self._graph = graph
        self._skipped = skipped
        self._params = params
        self._forms = forms

    def of(self, tensor: int, params: AffineParams) -> tuple[KernelTable | None, str]:
        """The table of the elementwise function whose results a tensor holds, if it does.

        Args:
            tensor: The tensor.
            params: Its scale and zero point.

        Returns:
            The table, and why there is none although such a function's kernel computes the codes;
            the nearest ones are taken then.
        """
        writer = self._graph.producer(tensor)
        is_padded = False
        while writer is not None and self._hands_on(writer):
            is_padded = is_padded or writer.kind == "PAD"
            writer = self._graph.producer(writer.inputs[0])
        if writer is None or writer.index in self._skipped or writer.kind not in ELEMENTWISE:
            return None, ""
        source = self._params.get(writer.inputs[0])
        if source is None:
            return None, ""
        table = kernel_table(self._graph, writer, source, params, self._forms)
        if table is None:
            reason = f"{preferred_runtime().description} cannot run {writer.kind} with int8 codes"
            return None, reason
        if is_padded:
            # Zeros are no results of LOGISTIC, and what it is near to must not stand for them.
            zero = table.encode(np.zeros(1, np.float32))[0]
            if zero != params.zero_point:
                return None, f"zeros are padded to results of {writer.kind}, which has none"
        return table, ""

    def is_written(self, tensor: int) -> bool:
        """Whether an operator computes the tensor instead of handing on values of another."""
        writer = self._graph.producer(tensor)
        return writer is None or not self._hands_on(writer)

    def _hands_on(self, operator: Operator) -> bool:
        """Whether all that the operator writes are values of its first input, or zeros."""
        return (
            (operator.kind in properties.PICKS or operator.kind == "PAD")
            and properties.fused_activation(operator) == "NONE"
            and operator.index not in self._skipped
        )
