"""A model that shows the tensors inside it: they are appended to its outputs.

Runtimes reuse the memory of tensors, and TensorFlow 2.14's ``experimental_preserve_all_tensors``
returns overwritten ones; outputs are never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.errors import BackendError
from tflite_eq.evaluation.classifier import decode
from tflite_eq.evaluation.feeding import feed, fit
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime

Array = npt.NDArray[Any]


class Instrumented:
    """A model with chosen tensors as its outputs.

    Attributes:
        runtime: Name and version of the runtime.
        fed: The inputs of the last run as the model takes them: codes where they are integers.
    """

    def __init__(
        self,
        graph: Graph,
        tensors: Mapping[int, int],
        runtime: Runtime | None = None,
        kernels: Kernels = Kernels.DEFAULT,
    ) -> None:
        """Prepare the interpreter.

        Args:
            graph: The model.
            tensors: What to call the outputs, by tensor index of this graph.
            runtime: Where it runs; default the preferred one.
            kernels: What the runtime computes with.

        Raises:
            BackendError: The runtime cannot run the model.
        """
        runtime = runtime or preferred_runtime()
        self.runtime = runtime.description
        self._keys = [tensors[index] for index in sorted(tensors)]
        self._name = graph.origin
        try:
            edited = edit.with_outputs(graph, sorted(tensors))
            self._interpreter = runtime.interpreter(edited, kernels)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._failed(error) from error
        self._outputs = self._interpreter.get_output_details()
        given = self._interpreter.get_input_details()
        self._shapes = [tuple(detail["shape"]) for detail in given]
        self.fed: list[Array] = []

    def run(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Real values of the chosen tensors for one sample.

        Raises:
            BackendError: The runtime fails.
        """
        return {key: decode(codes, detail) for key, codes, detail in self.run_codes(inputs)}

    def run_codes(self, inputs: Sequence[Array]) -> list[tuple[int, Array, dict[str, Any]]]:
        """The chosen tensors as they are, with what the interpreter says of them.

        Raises:
            BackendError: The runtime fails.
        """
        try:
            shapes = [value.shape for value in inputs]
            if shapes != self._shapes:
                fit(self._interpreter, inputs)
                self._shapes = shapes
            self.fed = feed(self._interpreter, inputs)
            self._interpreter.invoke()
            values = [self._interpreter.get_tensor(d["index"]) for d in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise self._failed(error) from error
        return list(zip(self._keys, values, self._outputs))

    def _failed(self, error: Exception) -> BackendError:
        return BackendError(f"{self._name}: {self.runtime} cannot run the model: {error}")
