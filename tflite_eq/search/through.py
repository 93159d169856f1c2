"""Ranges of tensors that no linear layer reads, judged by what their readers make of them.

Such a tensor's own error does not matter, only what a function leaves of it: LEAKY_RELU shrinks
errors of negative values tenfold, LOGISTIC flattens both ends, an addition buries them under its
other operand. The interval with the smallest squared error behind its readers, by sample relative
to what they compute, spends the codes where the next layer sees them. Where a maximum is taken
behind the function, the values that survive it are the ones to look at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.affine import AffineParams, fake_quantize

Float = npt.NDArray[np.float32]
Interval = tuple[float, float]

# Elementwise operators without per-channel parameters.
ELEMENTWISE = frozenset(
    "ELU GELU HARD_SWISH LEAKY_RELU LOGISTIC RELU RELU6 RELU_N1_TO_1 TANH".split()
)

# Candidate ends as fractions of the extremes: steps of 9 %, down to 1/16.
_FACTORS = 2.0 ** (-np.arange(0, 33) / 8)
_ROUNDS = 2


# A side of the search ends after so many candidates in a row that are so much worse than the best.
_PATIENCE = 2
_HOPELESS = 1.5


@dataclasses.dataclass(frozen=True)
class Function:
    """One function that reads the tensor.

    Attributes:
        compute: What it makes of values, elementwise and in their order.
        values: Sampled real values of the tensor that the network behind it sees, [n].
        weights: What the squared error of each result counts, [n]; ``None`` for 1.
    """

    compute: Callable[[Float], Float]
    values: Float
    weights: Float | None = None


def search_through(
    functions: Sequence[Function],
    start: Interval,
    params_of: Callable[[Interval], AffineParams],
) -> Interval:
    """The interval with the smallest squared error behind the functions.

    Both ends are searched in turn, starting from ``start``, which is kept unless another interval
    is better.

    Args:
        functions: All that read the tensor.
        start: The extremes.
        params_of: Scale and zero point for an interval.
    """
    exact = [function.compute(function.values) for function in functions]

    def error(interval: Interval) -> float:
        params = params_of(interval)
        total = 0.0
        for function, y in zip(functions, exact):
            difference = function.compute(fake_quantize(function.values, params)) - y
            weighted = difference if function.weights is None else difference * function.weights
            total += float(np.vdot(difference, weighted)) / max(len(y), 1)
        return total

    best, least = start, error(start)
    for _ in range(_ROUNDS):
        before = best
        for end in (0, 1):
            hopeless = 0
            for factor in _FACTORS if start[end] else ():
                candidate = _with_end(best, end, start[end] * float(factor))
                found = error(candidate)
                if found < least:
                    best, least = candidate, found
                hopeless = hopeless + 1 if found > _HOPELESS * least else 0
                if hopeless == _PATIENCE and factor < best[end] / start[end]:
                    break
        if best == before:
            break
    return best


def _with_end(interval: Interval, end: int, value: float) -> Interval:
    return (value, interval[1]) if end == 0 else (interval[0], value)
