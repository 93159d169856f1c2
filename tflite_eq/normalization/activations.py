"""Activation functions computed by several operators, put back together.

Between operators int8 kernels round to 256 codes each time, and for some of those operators there
is no int8 kernel at all, where the function as one operator is a table or a comparison. Operators
for which a runtime has to be newer than for the parts (RELU_0_TO_1) are left in parts, except GELU,
whose cube no int8 scale holds.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.normalization import elementwise
from tflite_eq.normalization.elementwise import Function

Array = npt.NDArray[np.float64]

# Share of value or argument that two functions may differ by and be the same in float32.
_ROUNDING = 2e-6

# Operators that alone may stand for an activation function of another name.
_SINGLE = frozenset({"MAXIMUM", "MINIMUM"})

# What maps straight lines to straight lines, unless by another function of the same value.
_AFFINE = frozenset({"ADD", "DIV", "MUL", "NEG", "SUB"})


@dataclasses.dataclass(frozen=True)
class _Known:
    """An activation function as operators express it.

    Attributes:
        kind: The operator.
        options: Its options, as for ``Rewrite.replace``.
        slopes: Per channel, for a PRELU.
        is_factor: Whether the result is the argument times what the operator computes.
    """

    kind: str
    options: tuple[str, dict[str, Any]] | None = None
    slopes: npt.NDArray[np.float32] | None = None
    is_factor: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} and MUL" if self.is_factor else self.kind

    @property
    def operators(self) -> int:
        return 2 if self.is_factor else 1


_BY_VALUES: tuple[tuple[_Known, Callable[[Array], Array]], ...] = (
    (_Known("RELU6"), lambda x: np.clip(x, 0.0, 6.0)),
    (_Known("RELU_N1_TO_1"), lambda x: np.clip(x, -1.0, 1.0)),
    (
        _Known("HARD_SWISH", ("HardSwishOptions", {})),
        lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0,
    ),
    (_Known("GELU", ("GeluOptions", {"approximate": False})), lambda x: elementwise.gelu(x, False)),
    (_Known("GELU", ("GeluOptions", {"approximate": True})), lambda x: elementwise.gelu(x, True)),
    (_Known("ELU"), elementwise.elu),
    (_Known("LOGISTIC"), elementwise.sigmoid),
    (_Known("TANH"), np.tanh),
    (_Known("LOGISTIC", is_factor=True), lambda x: x * elementwise.sigmoid(x)),
)


def recognized(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these functions as single operators, as far as there are such."""
    rewrite = Rewrite(graph)
    taken: set[int] = set()
    found: Counter[str] = Counter()
    for operator in reversed(graph.operators):
        if operator.index in taken or len(operator.outputs) != 1:
            continue
        longest: tuple[Function, _Known] | None = None
        for function in elementwise.functions_of(graph, operator.outputs[0]):
            known = _known(graph, function) if _may_be_known(graph, function) else None
            if known is not None and known.operators <= len(function.operators):
                longest = function, known
        if longest is not None:
            function, known = longest
            _replace(graph, rewrite, function, known)
            taken.update(part.index for part in function.operators)
            found[known.name] += 1
    if not found:
        return graph, None
    listed = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
    return rewrite.graph(), f"{len(taken)} operators put together as {listed}"


def _may_be_known(graph: Graph, function: Function) -> bool:
    """Whether a function is worth computing."""
    kinds = [operator.kind for operator in function.operators]
    if len(kinds) == 1:
        return kinds[0] in _SINGLE
    if sorted(kinds) == ["LOGISTIC", "MUL"]:
        return False
    return any(
        kind not in _AFFINE or _operands(graph, operator) > 1 or _is_fused(operator)
        for kind, operator in zip(kinds, function.operators)
    )


def _operands(graph: Graph, operator: Operator) -> int:
    return sum(not graph.tensors[index].is_constant for index in operator.inputs)


def _is_fused(operator: Operator) -> bool:
    return bool(getattr(operator.options, "fusedActivationFunction", 0))


def _known(graph: Graph, function: Function) -> _Known | None:
    """What a function is called, if it has a name."""
    x = elementwise.points(graph, function)
    y = elementwise.values_of(graph, function, x)
    if not np.isfinite(y).all():
        return None
    first = int(np.argmin(np.abs(x + 12.0)))
    slopes = y[first] / x[first]
    if _agree(x, y, np.where(x < 0, slopes * x, x)):
        return _of_slopes(slopes)
    for known, compute in _BY_VALUES:
        if _agree(x, y, compute(x)):
            return known
    return None


def _of_slopes(slopes: Array) -> _Known | None:
    """The function that is the identity above 0 and has these slopes below, by channel."""
    if np.abs(slopes - 1.0).max() <= _ROUNDING:
        return None
    if np.abs(slopes).max() <= _ROUNDING:
        return _Known("RELU")
    if np.abs(slopes + 1.0).max() <= _ROUNDING:
        return _Known("ABS", ("AbsOptions", {}))
    if slopes.min() == slopes.max():
        return _Known("LEAKY_RELU", ("LeakyReluOptions", {"alpha": float(slopes.flat[0])}))
    if slopes.shape[0] > 1:
        return None
    return _Known("PRELU", slopes=slopes[0].astype(np.float32))


def _agree(x: Array, y: Array, other: Array) -> bool:
    size = np.maximum(np.maximum(np.abs(x), np.abs(other)), 1e-30)
    # At most a float32's rounding of what the operators compute on their way.
    return bool((np.abs(y - other) <= _ROUNDING * size).all())


def _replace(graph: Graph, rewrite: Rewrite, function: Function, known: _Known) -> None:
    *others, last = function.operators
    for operator in others:
        rewrite.remove(operator)
    name = graph.tensors[function.result].name
    inputs = [function.source]
    if known.slopes is not None:
        inputs.append(rewrite.add_constant(f"{name}/alpha", known.slopes))
    if not known.is_factor:
        rewrite.replace(last, known.kind, inputs, options=known.options)
        return
    factor = rewrite.add_tensor(function.result, f"{name}/{known.kind.lower()}")
    rewrite.replace(last, known.kind, inputs, [factor], known.options)
    rewrite.add(last, "MUL", [function.source, factor], last.outputs, ("MulOptions", {}))
