"""Any model ready to run: samples in, real values out, whatever types its ends have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.errors import BackendError, DatasetError
from tflite_eq.evaluation.feeding import decode, encoded
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session
from tflite_eq.trial import Bounds, Job, Step, check_survives

Array = npt.NDArray[Any]


class Executable:
    """A model on one runtime, with any number of inputs and outputs.

    Tensors are allocated for the shapes of the first sample, and again whenever these change: with
    the placeholders that a file holds for open dimensions many models cannot be.

    Attributes:
        name: For messages.
        runtime: Name and version of the runtime.
        fed: The inputs of the last run as the model takes them: codes where they are integers.
    """

    def __init__(
        self,
        name: str,
        model: bytes,
        runtime: Runtime,
        kernels: Kernels = Kernels.DEFAULT,
        survives: bool = False,
    ) -> None:
        """Make the interpreter.

        Args:
            name: For messages.
            model: A ``.tflite`` file.
            runtime: Where it runs.
            kernels: What it computes with.
            survives: Whether the runtime is known not to end the process at the model; otherwise
                it is tried in another one first.

        Raises:
            BackendError: The runtime rejects the model, or would end the process.
        """
        self.name = name
        self.runtime = runtime.description
        self.fed: list[Array] = []
        self._shapes: list[tuple[int, ...]] | None = None
        self._job = None if survives else Job(model, kernels, until=Step.BUILD)
        self._runtime, self._tried = runtime, Bounds()
        if self._job is not None:
            check_survives(runtime, self._job, name)
        try:
            self._session = Session(runtime.interpreter(model, kernels))
        except (BackendError, RuntimeError, ValueError) as error:
            raise self._failed(error) from error

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What the interpreter says of its inputs."""
        return self._session.inputs

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What the interpreter says of its outputs; shapes are those of the last run."""
        return self._session.outputs

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs for one sample, decoded.

        Args:
            inputs: In the model's order; real values, or of an input's own type.

        Raises:
            BackendError: The runtime fails.
            DatasetError: An input does not take the values or their shape.
        """
        codes = self.run_codes(inputs)
        return [decode(value, detail) for value, detail in zip(codes, self._output_details)]

    def run_codes(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs for one sample as they are; otherwise as ``run``."""
        self._check_shapes(inputs)
        try:
            self._fit(inputs)
            self.fed = encoded(inputs, self._session.inputs)
            self._session.feed(self.fed)
            self._session.invoke()
            return list(self._session.results())
        except (RuntimeError, ValueError) as error:
            raise self._failed(error) from error

    def _fit(self, inputs: Sequence[Array]) -> None:
        shapes = [value.shape for value in inputs]
        if shapes != self._shapes:
            if self._job is not None and self._tried.widen(shapes):
                job = dataclasses.replace(self._job, inputs=inputs, until=Step.INVOKE)
                check_survives(self._runtime, job, self.name)
            self._session.allocate(shapes)
            self._output_details = self.outputs
            self._shapes = shapes

    def _check_shapes(self, inputs: Sequence[Array]) -> None:
        """Refuse what a runtime would take by resizing an input that has one size only."""
        if self._shapes == [value.shape for value in inputs]:
            return
        details = self.inputs
        if len(inputs) != len(details):
            raise DatasetError(
                f"{self.name}: has {len(details)} inputs, the samples have {len(inputs)} arrays; "
                "give one array for every input"
            )
        for value, detail in zip(inputs, details):
            wanted = open_shape(detail)
            if wanted and not fits(value.shape, wanted):
                raise DatasetError(
                    f"{self.name}: input '{detail['name']}' takes {shown_shape(wanted)}, the "
                    f"samples have {list(value.shape)}; resize or reshape the data"
                )

    def _failed(self, error: Exception) -> BackendError:
        return BackendError(
            f"{self.name}: {self.runtime} cannot run the model: {error}; models with Flex or "
            "custom operators need a runtime that has them"
        )


def open_shape(detail: dict[str, Any]) -> tuple[int, ...]:
    """Shape of an end as the file has it, open dimensions as -1; empty if it says nothing."""
    signature = detail.get("shape_signature", ())
    shape = signature if len(signature) == len(detail["shape"]) else detail["shape"]
    return tuple(int(size) for size in shape)


def fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a shape is one that an open one allows."""
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted))


def shown_shape(shape: Sequence[int]) -> str:
    """A shape for messages: ``[any, 8, 8, 3]``."""
    return f"[{', '.join('any' if size < 0 else str(size) for size in shape)}]"
