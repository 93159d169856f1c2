"""How far a model is from the float one, output by output."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Interpreter, Kernels, Runtime, available_runtimes, preferred_runtime

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class OutputError:
    """One output of a model against the float one's.

    Attributes:
        signal: Sum of squares of the float output, by sample.
        noise: Sum of squares of the difference, by sample.
    """

    signal: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]

    @property
    def sqnr_db(self) -> float:
        """Signal over noise of all samples together; infinite without noise."""
        return _decibel(float(self.signal.sum()), float(self.noise.sum()))

    @property
    def by_sample(self) -> npt.NDArray[np.float64]:
        """The same for each sample by itself, at most 100 dB."""
        return np.array([min(_decibel(s, n), 100.0) for s, n in zip(self.signal, self.noise)])


def outputs(model: bytes, inputs: Mapping[str, Array]) -> list[list[Array]]:
    """All outputs of a model, by sample, with the runtime's default kernels."""
    interpreter = preferred_runtime().interpreter(model, Kernels.DEFAULT)
    names = _fed(model, interpreter)
    details = interpreter.get_input_details()
    found = []
    for row in range(len(next(iter(inputs.values())))):
        values = [inputs[name][row : row + 1] for name in names]
        for detail, value in zip(details, values):
            if tuple(detail["shape"]) != value.shape:
                interpreter.resize_tensor_input(detail["index"], value.shape)
        if row == 0:
            interpreter.allocate_tensors()
        for detail, value in zip(details, values):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        found.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return found


def errors(exact: list[list[Array]], found: list[list[Array]]) -> list[OutputError]:
    """The outputs of a model against those of the float one, in the order of the latter."""
    measured = []
    for number in range(len(exact[0])):
        pairs = [(np.float64(a[number]), np.float64(b[number])) for a, b in zip(exact, found)]
        measured.append(
            OutputError(
                np.array([np.square(a).sum() for a, _ in pairs]),
                np.array([np.square(a - b).sum() for a, b in pairs]),
            )
        )
    return measured


def runs_on(model: bytes) -> list[str]:
    """The runtimes that run a model, each with every kind of kernels that does."""
    found = []
    for runtime in available_runtimes():
        kinds = [k.value for k in (Kernels.DEFAULT, Kernels.BUILTIN) if _runs(model, runtime, k)]
        if kinds:
            found.append(f"{runtime.description} ({', '.join(kinds)})")
    return found


def _runs(model: bytes, runtime: Runtime, kernels: Kernels) -> bool:
    try:
        interpreter = runtime.interpreter(model, kernels)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (BackendError, ValueError, RuntimeError):
        return False
    return True


def _fed(model: bytes, interpreter: Interpreter) -> list[str]:
    """Names of the inputs in the interpreter's order."""
    graph = Graph.from_bytes(model)
    by_index = dict(zip([d["index"] for d in interpreter.get_input_details()], graph.inputs))
    return [graph.tensors[by_index[d["index"]]].name for d in interpreter.get_input_details()]


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
