"""Checks on the finished model: fully int8, and every installed runtime runs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable

import numpy.typing as npt

from tflite_eq.errors import BackendError, VerificationError
from tflite_eq.evaluation.feeding import encoded
from tflite_eq.graph.checks import describe
from tflite_eq.graph.float_islands import matching
from tflite_eq.graph.model import Graph
from tflite_eq.process_apart import renew
from tflite_eq.progress import note
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes
from tflite_eq.session import Session
from tflite_eq.text import counted
from tflite_eq.trial import Job, death, has_run, would_end

Array = npt.NDArray[Any]

# Operators that may meet float tensors: they convert, or look at the shape and at no value.
_NO_ARITHMETIC = ("QUANTIZE", "DEQUANTIZE", "SHAPE")

# What users of a runtime compute with: XNNPACK on top of built-in kernels, or these alone.
_ASKED = (Kernels.DEFAULT, Kernels.BUILTIN)


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


def check_runs(model: bytes, sample: Sequence[Array], runtime: Runtime, kernels: Kernels) -> None:
    """Run the model once.

    Args:
        model: The quantized ``.tflite``.
        sample: Real values of its inputs, in their order.
        runtime: What it is to run on.
        kernels: What the runtime computes with.

    Raises:
        VerificationError: It does not run.
    """
    renew()  # large pictures take memory, and the libraries of all runtimes some 250 MiB
    failure = _failure(runtime, model, kernels, sample)
    if failure is not None:
        raise VerificationError(
            f"the quantized model does not run on {runtime.description} with {kernels.value} "
            f"kernels: {failure}; the same network for a smaller picture does. Give it a smaller "
            "input, or report it with the float model"
        )


def check_runs_everywhere(
    model: bytes, sample: Sequence[Array], float_model: Callable[[], bytes]
) -> dict[Runtime, tuple[Kernels, ...]]:
    """Run the model once on every installed runtime, with XNNPACK and without.

    A runtime, or kind of kernels, that does not run the float model either, for lack of an
    operator, cannot be asked: MediaPipe's custom operators are known to XNNPACK alone.

    Args:
        model: The quantized ``.tflite``.
        sample: Real values of its inputs, in their order: an input that the network was made for.
        float_model: Gives the float ``.tflite`` behind it.

    Returns:
        The runtimes that ran it, each with the kernels that did.

    Raises:
        VerificationError: A runtime rejects the model or fails on it, though not on the float one,
            or none is left.
    """
    ran: dict[Runtime, tuple[Kernels, ...]] = {}
    unable: dict[str, list[str]] = {}  # who is left out, by what they say
    for runtime in available_runtimes():
        failures: dict[str, list[Kernels]] = {}
        for kernels in _ASKED:
            failure = _failure(runtime, model, kernels, sample)
            if failure is None:
                ran[runtime] = (*ran.get(runtime, ()), kernels)
                continue
            if _failure(runtime, float_model(), kernels, sample) is None:
                raise VerificationError(
                    f"the quantized model does not run on {runtime.description} with "
                    f"{kernels.value} kernels: {failure}; the float model does. Uninstall "
                    f"{runtime.name} or install another version of it, if another runtime is "
                    "there; else report it with the float model"
                )
            failures.setdefault(_first_line(failure), []).append(kernels)
        for failure, kinds in failures.items():
            unable.setdefault(failure, []).append(described(runtime, kinds))
    if unable:
        found = "; ".join(f"{', '.join(who)} ({failure})" for failure, who in unable.items())
        note(
            f"note: left out, for they run neither the float model nor the quantized one: {found}. "
            "Newer versions may"
        )
    if not ran:
        raise VerificationError(
            "no installed runtime runs the float model, so the quantized one cannot be checked: "
            "pip install --upgrade ai-edge-litert, or replace the operators in the messages above"
        )
    return ran


def described(runtime: Runtime, kernels: Sequence[Kernels]) -> str:
    """A runtime, with the kernels that are meant where these are not all of them."""
    if len(kernels) == len(_ASKED):
        return runtime.description
    return f"{runtime.description} with {kernels[0].value} kernels"


def _failure(
    runtime: Runtime, model: bytes, kernels: Kernels, sample: Sequence[Array]
) -> str | None:
    """Why a runtime does not run a model; ``None`` if it does."""
    job = Job(model, kernels, sample)
    how = death(runtime, job)
    if how is not None:
        return would_end(runtime, kernels, how)
    if has_run(runtime, job):
        return None
    try:
        session = Session(runtime.interpreter(model, kernels))
        session.allocate([value.shape for value in sample])
        session.feed(encoded(sample, session.inputs))
        session.invoke()
    except (BackendError, ValueError, RuntimeError) as error:
        return str(error)
    return None


def _first_line(failure: str) -> str:
    """What a runtime says, without its advice to app authors and the number of the node."""
    lines = failure.strip().splitlines() or ["it does not say why"]
    return lines[0].rstrip(".")
