"""Giving an interpreter one sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.evaluation.classifier import encode
from tflite_eq.runtimes import Interpreter

Array = npt.NDArray[Any]


def fit(interpreter: Interpreter, inputs: Sequence[Array]) -> None:
    """Allocate an interpreter's tensors for the shapes of a sample.

    Raises:
        ValueError, RuntimeError: The runtime does not take them.
    """
    for detail, value in zip(interpreter.get_input_details(), inputs):
        if tuple(detail["shape"]) != value.shape:
            interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()


def feed(interpreter: Interpreter, inputs: Sequence[Array]) -> list[Array]:
    """Set an interpreter's inputs, in their order, to real values.

    Returns:
        What it was given: codes where its inputs are integers.

    Raises:
        ValueError, RuntimeError: The runtime does not take them.
    """
    details = interpreter.get_input_details()
    fed = [encode(value, detail) for detail, value in zip(details, inputs)]
    for detail, codes in zip(details, fed):
        interpreter.set_tensor(detail["index"], codes)
    return fed
