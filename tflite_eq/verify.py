"""Checks on the finished model: fully int8, and every installed runtime runs it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tflite_eq.errors import BackendError, VerificationError
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.model import Graph
from tflite_eq.graph.validate import describe
from tflite_eq.runtimes import Interpreter, Kernels, available_runtimes
from tflite_eq.text import counted

# Operators that may meet float tensors: they convert, or look at the shape and at no value.
_NO_ARITHMETIC = ("QUANTIZE", "DEQUANTIZE", "SHAPE")


def check_fully_int8(graph: Graph, kept_float: Iterable[str]) -> None:
    """Refuse a model in which anything but the named operators still computes in float.

    Args:
        graph: The quantized network.
        kept_float: Output tensor names of the operators that the user keeps in float.

    Raises:
        VerificationError: Names the operators left in float and how to accept them.
    """
    allowed = set(kept_float)
    left = []
    for operator in graph.operators:
        touches_float = any(
            index >= 0 and graph.tensors[index].is_float
            for index in (*operator.inputs, *operator.outputs)
        )
        names = {graph.tensors[index].name for index in operator.outputs}
        if touches_float and operator.kind not in _NO_ARITHMETIC and not names & allowed:
            left.append(operator)
    if left:
        shown = "; ".join(describe(graph, o) for o in left[:5])
        outputs = [graph.tensors[operator.outputs[0]].name for operator in left]
        raise VerificationError(
            f"{graph.origin}: {counted(len(left), 'operator')} would stay in float, which has an "
            f"int8 form: {shown}. Accept it with --skip '{matching(outputs)}'"
        )


def check_runs_everywhere(model: bytes, seed: int) -> list[str]:
    """Run the model once on every installed runtime, with XNNPACK and without.

    Args:
        model: The quantized ``.tflite``.
        seed: Seeds the random input.

    Returns:
        The runtimes that ran it, by name and version.

    Raises:
        VerificationError: A runtime rejects the model or fails on it.
    """
    ran = []
    for runtime in available_runtimes():
        for kernels in (Kernels.DEFAULT, Kernels.BUILTIN):
            try:
                interpreter = runtime.interpreter(model, kernels)
                interpreter.allocate_tensors()
                _feed_random(interpreter, seed)
                interpreter.invoke()
            except (BackendError, ValueError, RuntimeError) as error:
                raise VerificationError(
                    f"the quantized model does not run on {runtime.description} with "
                    f"{kernels.value} kernels: {error}"
                ) from error
        ran.append(runtime.description)
    return ran


def _feed_random(interpreter: Interpreter, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for detail in interpreter.get_input_details():
        dtype, shape = np.dtype(detail["dtype"]), detail["shape"]
        if dtype == np.float32:
            values = rng.standard_normal(shape).astype(np.float32)
        elif dtype == np.bool_:
            values = np.zeros(shape, np.bool_)
        elif dtype.itemsize == 1:
            info = np.iinfo(dtype)
            values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        else:
            values = np.zeros(shape, dtype)  # indices: any other value may be out of range
        interpreter.set_tensor(detail["index"], values)
