"""What every input must lead to: a result that holds, or one line of error and nothing written."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from tests import running
from tflite_eq import QuantizationResult
from tflite_eq.cli.main import main, parse
from tflite_eq.errors import TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels

Array = npt.NDArray[Any]

# Whether there was a result, and what it was or what the refusal said.
Ending = tuple[str, Any]

REFUSED = "refused"
RESULT = "result"

_LONGEST_MESSAGE = 1500
_REMEDY_SIGNS = ("; ", ". ", ": ", ", ")
# Below this a network is not quantized but broken; eight bits give 20 and more.
_FEWEST_DECIBELS = 3.0
# In the warning about such a network.
_LOST = "reach too far for int8"
# Of the codes that softmax and logistic must have: smaller values are lost in them.
_FINEST_STEP = 1 / 256


class BrokenContractError(AssertionError):
    """An input had an end that it must not have."""


def held(function: Callable[[], Any]) -> Ending:
    """Whether a call gave a result or refused its input, and what it gave or said.

    Raises:
        BrokenContractError: The error is none of the package's, or is not one line.
    """
    try:
        return RESULT, function()
    except TfliteEqError as error:
        check_message(str(error))
        return REFUSED, f"{type(error).__name__}: {error}"


def check_message(message: str) -> None:
    """One line of bearable length that has room for a cause and a remedy."""
    if not message or len(message.splitlines()) != 1:
        raise BrokenContractError(f"the message is not one line: {message!r}")
    if len(message) > _LONGEST_MESSAGE:
        raise BrokenContractError(f"the message has {len(message)} characters: {message[:200]!r}")
    if not any(sign in message for sign in _REMEDY_SIGNS):
        raise BrokenContractError(f"the message has no remedy: {message!r}")


def command(folder: Path, *arguments: object, written: Sequence[str] = ()) -> Ending:
    """Run a sub-command in this process and judge how it ends.

    Args:
        folder: What it may write to.
        *arguments: The command line.
        written: Names in the folder of what it writes if it succeeds.

    Returns:
        Whether it succeeded, and what it said.

    Raises:
        BrokenContractError: An exit code without its message, or files that should not be there.
    """
    before = set(folder.rglob("*"))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(parse(["tflite-eq", *map(str, arguments)]))
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
    left = {path for path in folder.rglob("*") if path not in before}
    if code == 0:
        if not out.getvalue().strip():
            raise BrokenContractError("the command succeeded and said nothing")
        if missing := [name for name in written if not (folder / name).is_file()]:
            raise BrokenContractError(f"the command succeeded without writing {missing}")
        return RESULT, out.getvalue().splitlines()[-1]
    # Packages that warn do so on the stream that this has replaced.
    *_, message = err.getvalue().splitlines() or [""]
    if not message.startswith("error: "):
        raise BrokenContractError(f"exit code {code} with {err.getvalue()!r} on stderr")
    check_message(message)
    if left:
        raise BrokenContractError(f"the command failed and left {sorted(left)}: {message}")
    return REFUSED, message


def _kernels(model: bytes, sample: Sequence[Array]) -> Kernels:
    """Built-in kernels where these run a model; XNNPACK takes some that they do not."""
    try:
        running.run(model, sample, Kernels.BUILTIN)
    except (ValueError, RuntimeError):
        return Kernels.DEFAULT
    return Kernels.BUILTIN


def check_quantized(
    float_model: bytes,
    result: QuantizationResult,
    samples: Sequence[Sequence[Array]],
    kept: str | None,
) -> None:
    """An int8 model runs, is int8, and computes what the float one does, or a warning says not.

    Args:
        float_model: What it was made from.
        result: The int8 model, with float inputs and outputs, and its report.
        samples: What it was calibrated with.
        kept: The option ``skip``, with which operators stay in float.
    """
    model = result.model
    graph = Graph.from_bytes(model)
    network = prepared(float_model, "model")
    float_model = schema.serialize(network.front.model)  # as calibrated
    if kept is None and not any(t.type_name == "INT8" for t in graph.tensors):
        raise BrokenContractError("the quantized model has no int8 tensor")
    if network.tail:
        return  # operators that no runtime here has
    signal = noise = 0.0
    for sample in samples:
        wanted = running.run(float_model, sample, Kernels.DEFAULT)
        found = running.run(model, sample, _kernels(float_model, sample))
        if len(wanted) != len(found):
            raise BrokenContractError(f"{len(found)} outputs instead of {len(wanted)}")
        for one, other in zip(wanted, found):
            if one.shape != other.shape or one.dtype != other.dtype:
                raise BrokenContractError(
                    f"an output is {other.dtype} {other.shape} instead of {one.dtype} {one.shape}"
                )
            if one.dtype == np.float32 and one.size:
                signal += float(np.square(one, dtype=np.float64).sum())
                noise += float(np.square(np.subtract(one, other, dtype=np.float64)).sum())
                noise -= one.size * _FINEST_STEP**2
    if any(_LOST in warning for warning in result.report.warnings):
        return
    if signal < 10 ** (_FEWEST_DECIBELS / 10) * noise:
        raise BrokenContractError(
            f"the outputs are wrong: signal {signal:.4g}, noise {noise:.4g} over the samples that "
            "it was calibrated with"
        )
