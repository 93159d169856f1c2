"""A classifier ready to run: a float sample in, float logits out, whatever its own types are.

What is a classifier is told by the shape of what comes out: one output, and of its dimensions only
one is larger than 1. A map of classes, one for every pixel, has no top-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ModelError
from tflite_eq.evaluation.ends import End, inputs_of, outputs_of
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.feeding import holds_codes
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime

Array = npt.NDArray[Any]

WITHOUT_LABELS = (
    "to compare outputs with those of a float model instead, leave out --labels and --label_column "
    "and name it with --reference FLOAT.tflite"
)


def is_vector(shape: Sequence[int]) -> bool:
    """Whether a tensor of this shape can hold scores of classes: one dimension alone is above 1."""
    return int(np.prod(shape)) == max((*shape, 1)) > 1


def may_be_classifier(graph: Graph) -> bool:
    """Whether a model has one input and one output, a vector, as far as its file tells.

    Dimensions that are open, other than the batch, may be larger than 1 and count so.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return False
    (shape,) = (end.shape for end in outputs_of(graph))
    return is_vector(
        [*(max(size, 1) for size in shape[:1]), *(2 if size < 0 else size for size in shape[1:])]
    )


def input_of(model: bytes, name: str) -> End:
    """The one input of a model.

    Raises:
        ModelError: The file is no intact flatbuffer or has several inputs or outputs.
    """
    graph = Graph.from_bytes(model, name)
    for what, ends in (("inputs", inputs_of(graph)), ("outputs", outputs_of(graph))):
        if len(ends) != 1:
            raise ModelError(
                f"{name}: has {len(ends)} {what}, and labels judge classifiers with one; "
                f"{WITHOUT_LABELS}"
            )
    (end,) = inputs_of(graph)
    return end


class Classifier:
    """A model on one runtime.

    Attributes:
        name: For messages.
        classes: Number of logits.
    """

    def __init__(
        self,
        name: str,
        model: bytes,
        sample_shape: tuple[int, ...],
        runtime: Runtime,
        kernels: Kernels,
    ) -> None:
        """Prepare the interpreter and run it once, on zeros.

        Args:
            name: For messages.
            model: A ``.tflite`` file with one input and one output.
            sample_shape: Shape of every sample, [1, ...].
            runtime: Where the model runs.
            kernels: What it computes with.

        Raises:
            BackendError: The runtime cannot run the model.
            ModelError: The output is no vector of classes, or an end has a type or quantization
                that is not supported.
        """
        self.name = name
        self._model = Executable(name, model, runtime, kernels)
        self.classes = len(self._first(np.zeros(sample_shape, np.float32)))

    def logits(self, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits of one sample, dequantized, as a vector.

        Raises:
            BackendError: The runtime fails.
            ModelError: The logits hold NaN or infinity.
        """
        return self._finite(self._model.run([sample])[0])

    def _first(self, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The logits of a sample, with all checks that need no second one."""
        for detail in self._model.inputs:
            self._check_type("input", detail)
        (output,) = self._model.run([sample])
        self._check_type("output", self._model.outputs[0])
        if not is_vector(output.shape):
            raise ModelError(
                f"{self.name}: the output has shape {list(output.shape)}, no vector of classes, so "
                f"there is no top-1 and labels cannot judge it; {WITHOUT_LABELS}"
            )
        return self._finite(output)

    def _finite(self, output: Array) -> npt.NDArray[np.float32]:
        logits: npt.NDArray[np.float32] = output.reshape(-1)
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self.name}: the outputs hold NaN or infinity; check the preprocessing "
                "(--image_mean, --image_std) and the model's weights"
            )
        return logits

    def _check_type(self, end: str, detail: dict[str, Any]) -> None:
        dtype = np.dtype(detail["dtype"])
        if dtype.name not in ("float32", "int8", "uint8"):
            raise ModelError(
                f"{self.name}: the {end} has type {dtype.name}; classifiers take and give float32, "
                "int8 and uint8: convert the model with one of these"
            )
        if dtype != np.float32 and not holds_codes(detail):
            raise ModelError(
                f"{self.name}: the {end} has type {dtype.name} but no scale, so its codes have "
                "no meaning; convert the model again"
            )
