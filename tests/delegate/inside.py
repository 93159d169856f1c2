"""What tests have a process of its own do, with one runtime in it and no TensorFlow beside it."""

from __future__ import annotations

import os

import numpy as np

from tests.delegate.oracle import model_of
from tests.golden import operators, vectors
from tflite_eq import delegate
from tflite_eq.delegate.claims import Claim, captured_stderr, parse_claims
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime


def run_golden_vectors(runtime: Runtime) -> list[str]:
    wrong = []
    for case in vectors.read():
        for kernel in ("auto", "direct", "winograd_f43", "winograd_f23", "winograd_1d"):
            with captured_stderr():
                interpreter = runtime.interpreter(
                    model_of(case),
                    Kernels.REFERENCE,
                    delegates=[delegate.load(runtime, kernel=kernel, verify=True)],
                )
                interpreter.resize_tensor_input(0, case.input.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(0, case.input)
            interpreter.invoke()
            found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            if not np.array_equal(found, case.expected):
                wrong.append(f"{case.name} by {kernel}")
    return wrong


def run_operator_vectors(runtime: Runtime) -> list[str]:
    """What is wrong with the delegate's answers to the cases of operators without weights."""
    wrong = []
    for case in operators.read():
        model = case.model()
        try:
            with captured_stderr() as log:
                interpreter = runtime.interpreter(
                    model,
                    Kernels.REFERENCE,
                    delegates=[delegate.load(runtime, claim=".", verify=True, log_level=2)],
                )
                interpreter.allocate_tensors()
        except BackendError as error:
            if operators.is_too_old(str(error)):
                continue
            raise
        (claim,) = parse_claims(log.getvalue(), Graph.from_bytes(model))
        if not claim.claimed:
            wrong.append(f"{case.name} is left: {claim.reason}")
            continue
        for detail, operand in zip(interpreter.get_input_details(), case.inputs):
            interpreter.set_tensor(detail["index"], operand.codes)
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        if not np.array_equal(found, case.output.codes):
            wrong.append(case.name)
    return wrong


def make_interpreter(runtime: Runtime, model: bytes) -> str:
    try:
        with captured_stderr():
            loaded = delegate.load(runtime, kernel="direct")
            runtime.interpreter(model, delegates=[loaded]).allocate_tensors()
    except (BackendError, RuntimeError, ValueError):
        return "refused"
    return "accepted"


def decisions(
    runtime: Runtime, models: list[bytes], options: list[dict[str, str]]
) -> list[tuple[dict[str, str], list[list[Claim]]]]:
    """What the delegate decides on models in this runtime, for each set of options."""
    return [(chosen, [_decided(runtime, model, chosen) for model in models]) for chosen in options]


def _decided(runtime: Runtime, model: bytes, options: dict[str, str]) -> list[Claim]:
    with captured_stderr() as log:
        loaded = delegate.load(runtime, log_level=2, **options)
        interpreter = runtime.interpreter(model, Kernels.REFERENCE, delegates=[loaded])
        interpreter.allocate_tensors()
    return parse_claims(log.getvalue(), Graph.from_bytes(model))


def crash() -> None:
    os.abort()
