"""What int8 kernels of elementwise functions really compute.

Such a kernel is a table of 256 codes, and few round like the real function would: XNNPACK's
LEAKY_RELU has slopes of 8 bits, TFLite's built-in one rounds twice where a slope is below a half,
which takes an eighth of a code from the mean of negative values. As much in every channel adds up
in the sums of the next layer, where it can weigh more than all rounding noise. Bias correction
takes it out if it can see it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Forms, IoType
from tflite_eq.errors import BackendError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.versions import set_int8_versions
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, dequantize
from tflite_eq.runtimes import Kernels, preferred_runtime
from tflite_eq.session import Session
from tflite_eq.trial import Job, check_survives
from tflite_eq.writing.assembly import Assembly
from tflite_eq.writing.fast_forms import add_fast_form

Float = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]

# Bits of a float32 that its prefix leaves out: 10 of the mantissa stay.
_CUT = 13

# Results from which on a table by prefixes pays.
_MANY = 1 << 12

_CODES: Codes = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)


class KernelTable:
    """Codes by the real values that the function has for the codes of its input.

    Attributes:
        limits: Values half-way between two of the function's, ascending, [255].
        codes: Codes below, between and above these, [256].
    """

    def __init__(self, values: Float, codes: Codes) -> None:
        """Take the function's values, [256], and the codes that stand for them, [256]."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        self.codes = codes[order]
        self.limits = (ordered[1:] + ordered[:-1]) / 2
        self._ordered = ordered

    def encode(self, values: Float) -> Codes:
        """The kernel's codes for results of the real function."""
        by_prefix = self._by_prefix if values.size > _MANY else None
        if by_prefix is None:
            return np.asarray(self.codes[np.searchsorted(self.limits, values)])
        prefixes = np.ascontiguousarray(values).view(np.uint32) >> np.uint32(_CUT)
        return np.asarray(by_prefix[prefixes])

    @functools.cached_property
    def _by_prefix(self) -> Codes | None:
        """Codes by the first bits of a result, [2^19]; None if these do not tell results apart.

        Looking a number up takes a twentieth of the time of finding its place between the limits.
        """
        middles, order = _middles()
        first_above = np.searchsorted(middles, self.limits, side="right")
        found = np.empty(len(middles), np.int8)
        found[order] = np.repeat(self.codes, np.diff([0, *first_above, len(middles)]))
        known = np.ascontiguousarray(self._ordered).view(np.uint32) >> np.uint32(_CUT)
        return found if np.array_equal(found[known], self.codes) else None


@functools.cache
def _middles() -> tuple[Float, npt.NDArray[np.int64]]:
    """The middle of what has one prefix, ascending, and which prefix that is, [2^19] each."""
    prefixes = np.arange(1 << (32 - _CUT), dtype=np.uint32)
    middles = ((prefixes << np.uint32(_CUT)) + np.uint32(1 << (_CUT - 1))).view(np.float32)
    order = np.argsort(middles, kind="stable")
    return middles[order], order


def kernel_table(
    graph: Graph,
    operator: Operator,
    source: AffineParams,
    result: AffineParams,
    forms: Forms = Forms.FAST,
) -> KernelTable | None:
    """The table of an elementwise operator on the installed runtime, with its default kernels.

    Args:
        graph: The float network.
        operator: One of its operators, with one input.
        source: Scale and zero point of the input.
        result: Of the output.
        forms: What is written for the operator.

    Returns:
        The table; None if the runtime has no int8 kernel for the operator.
    """
    shape = (1, -1, *[1] * (len(graph.tensors[operator.inputs[0]].shape) - 2))
    real = dequantize(_CODES, source).reshape(shape)
    values = OperatorRunner(graph, operator).run([real])[0].ravel()
    try:
        codes = _run(_int8_model(graph, operator, [source, result], forms), _CODES.reshape(shape))
    except (BackendError, ValueError, RuntimeError):
        return None
    return KernelTable(values, codes.ravel())


def _int8_model(
    graph: Graph, operator: Operator, params: Sequence[AffineParams], forms: Forms
) -> bytes:
    single = Graph.from_bytes(edit.single_operator_model(graph, operator)[0], graph.origin)
    [only] = single.operators
    source, result = only.inputs[0], only.outputs[0]
    by_tensor = dict(zip((source, result), params))
    assembly = Assembly(single, IoType.INT8)
    assembly.take_codes(source, by_tensor[source])
    if forms is Forms.PLAIN or not add_fast_form(assembly, single, only, by_tensor):
        assembly.add(only, list(only.inputs), list(only.outputs))
        assembly.take_codes(result, by_tensor[result])
    set_int8_versions(Graph(assembly.model, single.origin))
    return schema.serialize(assembly.model)


def _run(model: bytes, codes: Codes) -> Codes:
    runtime = preferred_runtime()
    check_survives(runtime, Job(model, Kernels.DEFAULT, [codes]), "the operator")
    return np.asarray(Session(runtime.interpreter(model)).run([codes])[0])
