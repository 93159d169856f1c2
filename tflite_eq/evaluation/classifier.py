"""One model ready to run: a float sample in, float logits out, whatever its own types are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import BackendError, ModelError
from tflite_eq.graph.model import Graph
from tflite_eq.numerics import affine
from tflite_eq.runtimes import Kernels, Runtime


def input_shape(model: bytes, name: str) -> tuple[int, ...]:
    """Shape of the one input of a model, dynamic dimensions as -1.

    Raises:
        ModelError: The file is no intact flatbuffer or has several inputs.
    """
    graph = Graph.from_bytes(model, name)
    if len(graph.inputs) != 1:
        raise ModelError(
            f"{name}: has {len(graph.inputs)} inputs; evaluating needs a classifier with one"
        )
    stored = graph.subgraph.tensors[graph.inputs[0]]
    signature = stored.shapeSignature
    shape = stored.shape if signature is None or not len(signature) else signature
    return tuple(int(size) for size in shape) if shape is not None else ()


def encode(values: npt.NDArray[Any], detail: dict[str, Any]) -> npt.NDArray[Any]:
    """Values as an interpreter's input takes them.

    Args:
        values: float32, or of the input's own type, which stays as it is.
        detail: The input's entry in ``get_input_details``; float32 or an integer type.
    """
    if values.dtype == detail["dtype"]:
        return values
    scale, zero_point = detail["quantization"]
    if not scale:  # integers that stand for themselves
        ends = np.iinfo(detail["dtype"])
        raw: npt.NDArray[Any] = np.rint(values).clip(ends.min, ends.max).astype(detail["dtype"])
        return raw
    if detail["dtype"] == np.int8:
        return affine.quantize(values, affine.AffineParams(scale, zero_point))
    shifted = affine.quantize(values, affine.AffineParams(scale, zero_point - 128))
    return (shifted.astype(np.int16) + 128).astype(np.uint8)


def decode(codes: npt.NDArray[Any], detail: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Real values of what an interpreter gave for a tensor with a scale of its own.

    Args:
        codes: Of any type; float values stay as they are.
        detail: The tensor's entry in ``get_output_details``.
    """
    values: npt.NDArray[np.float32] = codes.astype(np.float32)
    if codes.dtype != np.float32:
        scale, zero_point = detail["quantization"]
        values -= np.float32(zero_point)
        values *= np.float32(scale)
    return values


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
            ModelError: The input or output has a type or quantization that is not supported.
        """
        self.name = name
        self._runtime = runtime
        try:
            interpreter = runtime.interpreter(model, kernels)
            index = interpreter.get_input_details()[0]["index"]
            if tuple(interpreter.get_input_details()[0]["shape"]) != sample_shape:
                interpreter.resize_tensor_input(index, sample_shape)
            interpreter.allocate_tensors()
        except (BackendError, RuntimeError, ValueError) as error:
            raise self._failed(error) from error
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]
        self._check_types()
        self.classes = len(self.logits(np.zeros(sample_shape, np.float32)))

    def logits(self, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits of one sample, dequantized, as a vector.

        Raises:
            BackendError: The runtime fails.
            ModelError: The logits hold NaN or infinity.
        """
        try:
            self._interpreter.set_tensor(self._input["index"], encode(sample, self._input))
            self._interpreter.invoke()
            codes = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
        except (RuntimeError, ValueError) as error:
            raise self._failed(error) from error
        logits = decode(codes, self._output)
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self.name}: the outputs hold NaN or infinity; check the preprocessing "
                "(--image_mean, --image_std) and the model's weights"
            )
        return logits

    def _check_types(self) -> None:
        for end, detail in (("input", self._input), ("output", self._output)):
            dtype = np.dtype(detail["dtype"])
            if dtype.name not in ("float32", "int8", "uint8"):
                raise ModelError(
                    f"{self.name}: the {end} has type {dtype.name}; evaluating takes float32, "
                    "int8 and uint8: convert the model with one of these"
                )
            if dtype != np.float32 and not detail["quantization"][0] > 0:
                raise ModelError(
                    f"{self.name}: the {end} has type {dtype.name} but no scale, so its codes have "
                    "no meaning; convert the model again"
                )

    def _failed(self, error: Exception) -> BackendError:
        runtime = self._runtime.description
        return BackendError(
            f"{self.name}: {runtime} cannot run the model: {error}; models with Flex or custom "
            "operators need a runtime that has them"
        )
