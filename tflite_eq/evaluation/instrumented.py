"""A model that shows the tensors inside it: they are appended to its outputs.

Runtimes reuse the memory of tensors, and TensorFlow 2.14's ``experimental_preserve_all_tensors``
returns overwritten ones; outputs are never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.evaluation.executable import Executable
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime

Array = npt.NDArray[Any]


class Instrumented:
    """A model with chosen tensors as its outputs.

    Attributes:
        runtime: Name and version of the runtime.
    """

    def __init__(
        self,
        graph: Graph,
        tensors: Mapping[int, int],
        runtime: Runtime | None = None,
        kernels: Kernels = Kernels.DEFAULT,
        survives: bool = True,
    ) -> None:
        """Prepare the interpreter.

        Args:
            graph: The model.
            tensors: What to call the outputs, by tensor index of this graph.
            runtime: Where it runs; default the preferred one.
            kernels: What the runtime computes with.
            survives: Whether the runtime is known not to end the process at the model.

        Raises:
            BackendError: The runtime cannot run the model.
        """
        self._keys = [tensors[index] for index in sorted(tensors)]
        self._model = Executable(
            graph.origin,
            edit.with_outputs(graph, sorted(tensors)),
            runtime or preferred_runtime(),
            kernels,
            survives,
        )
        self.runtime = self._model.runtime

    @property
    def fed(self) -> list[Array]:
        """The inputs of the last run as the model takes them: codes where they are integers."""
        return self._model.fed

    def run(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Real values of the chosen tensors for one sample.

        Raises:
            BackendError: The runtime fails.
        """
        return dict(zip(self._keys, self._model.run(inputs)))

    def run_codes(self, inputs: Sequence[Array]) -> list[tuple[int, Array, dict[str, Any]]]:
        """The chosen tensors as they are, with what the interpreter says of them.

        Raises:
            BackendError: The runtime fails.
        """
        codes = self._model.run_codes(inputs)
        return list(zip(self._keys, codes, self._model.outputs))
