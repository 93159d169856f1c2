"""The FP32 network as calibration runs it: sample by sample, every tensor in view."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import Sample
from tflite_eq.errors import BackendError, ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.threads import thread_count
from tflite_eq.trial import Bounds, Job, Step, check_survives

# Squares of larger values, summed over the sampled positions, would leave the range of float32.
_LARGEST_VALUE = 1e15


class FloatNetwork:
    """A network with all its tensors as outputs, on the installed runtime; its values are checked.

    Attributes:
        computed: Indices of the tensors it computes.
        ends: Smallest and largest of the values that ``run`` has given last; ``None`` where these
            are no real numbers or there are none.
    """

    def __init__(self, graph: Graph) -> None:
        """Make the interpreter.

        Raises:
            BackendError: The runtime would end the process at the network.
            ModelError: It cannot run the network.
        """
        self._graph = graph
        self.ends: tuple[float, float] | None = None
        self.computed = edit.computed_tensors(graph)
        model = edit.with_all_tensors_as_outputs(graph)
        self._runtime, self._tried = preferred_runtime(), Bounds()
        self._job = Job(model, Kernels.DEFAULT, until=Step.ALLOCATE)
        check_survives(self._runtime, self._job, graph.origin)
        threads = thread_count(edit.most_values(graph, graph.operators))
        try:
            self._session = Session(self._runtime.interpreter(model, num_threads=threads))
            self._session.allocate()
        except (BackendError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{graph.origin}: the TFLite runtime cannot run it: {error}"
            ) from error
        self._declared = [tuple(d["shape"]) for d in self._session.inputs]
        self._is_resized = False
        if any(graph.tensors[index].dynamic for index in graph.inputs):
            return  # samples say the sizes
        # Before anything runs: a shape that is not the file's may be a thousand times as large.
        for index, detail in zip(self.computed, self._session.outputs):
            self._check_declared(index, tuple(detail["shape"]), np.dtype(detail["dtype"]))

    @property
    def float_tensors(self) -> list[int]:
        """Indices of its inputs and computed tensors that are float32."""
        tensors = (*self._graph.inputs, *self.computed)
        return [index for index in tensors if self._graph.tensors[index].is_float]

    def run(
        self, sample: Sample, number: int, lent: bool = False
    ) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Values of the inputs and all computed tensors by index.

        Args:
            sample: Input values by tensor index.
            number: Position of the sample, for messages.
            lent: Give computed values to look at instead of copies. While anybody holds one, the
                network does not run again.

        Raises:
            BackendError: The runtime would end the process over the sample.
            ModelError: The network fails on the sample, or computes NaN, infinity or huge values.
        """
        values = [sample[index] for index in self._graph.inputs]
        self._is_resized = [v.shape for v in values] != self._declared
        for index, value in zip(self._graph.inputs, values):
            self._check(index, value, number)
            yield index, value
        if self._tried.widen([v.shape for v in values]):
            job = dataclasses.replace(self._job, inputs=values, until=Step.INVOKE)
            check_survives(self._runtime, job, self._graph.origin)
        try:
            self._session.allocate([v.shape for v in values])
            self._session.feed(values)
            self._session.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self._graph.origin}: the network fails on calibration sample {number}: {error}"
            ) from error
        values_of = self._session.views if lent else self._session.results
        for index, value in zip(self.computed, values_of()):
            self._check_declared(index, value.shape, value.dtype)
            self._check(index, value, number)
            yield index, value
            del value

    def _check_declared(self, tensor: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Layers are looked at and weighed by the shapes that the file declares."""
        stored = self._graph.tensors[tensor]
        if stored.is_float != (dtype == np.float32):
            raise ModelError(
                f"{self._graph.origin}: tensor '{stored.name}' is {stored.type_name} in the file, "
                f"but is computed as {dtype.name}; convert the model again"
            )
        declared = self._graph.signature(tensor)
        if not declared:
            return  # a scalar, or not known
        fits = len(declared) == len(shape) and all(
            size in (-1, found) for size, found in zip(declared, shape)
        )
        if not fits and not self._is_resized:
            raise ModelError(
                f"{self._graph.origin}: tensor '{self._graph.tensors[tensor].name}' has shape "
                f"{list(declared)} in the file, but is computed with shape {[*map(int, shape)]}; "
                "convert the model again"
            )

    def _check(self, tensor: int, values: npt.NDArray[Any], number: int) -> None:
        self.ends = None
        if not values.size or not np.issubdtype(values.dtype, np.floating):
            return
        self.ends = float(values.min()), float(values.max())
        largest = max(-self.ends[0], self.ends[1])
        if largest <= _LARGEST_VALUE:
            return
        name, origin = self._graph.tensors[tensor].name, self._graph.origin
        if not np.isfinite(values).all():
            raise ModelError(
                f"{origin}: on calibration sample {number} the FP32 network itself goes wrong: "
                f"{describe_not_finite(name, values)}"
            )
        raise ModelError(
            f"{origin}: tensor '{name}' reaches {largest:.3g} on calibration sample {number}, "
            "which no int8 scale can represent. Check the preprocessing; what stands for "
            "infinity should be moderate, such as -1e4"
        )


def describe_not_finite(name: str, values: npt.NDArray[np.float32]) -> str:
    """What is wrong with calibration values of a tensor that are not all finite."""
    nans, infinities = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    return (
        f"tensor {name!r}: found {nans} NaN and {infinities} infinite among {values.size} "
        "calibration values, expected finite ones; check the preprocessing of the calibration "
        "data and that the float model computes finite values for them"
    )
