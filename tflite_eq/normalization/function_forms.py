"""Activation functions, and the operators that compute each of them best in int8.

Most are one operator, whose int8 kernel is a table or a comparison. Operators for which a runtime
has to be newer than for the parts they replace (RELU_0_TO_1) are not used, except GELU and ABS
where the parts need an exponential or a cube of the argument, whose values no int8 scale holds.
Softplus has a LOG, which stays in float.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from tflite_eq.normalization import elementwise

Values = npt.NDArray[np.float64]

# An argument of a step: the function's, what an earlier step gives, or a constant.
ARGUMENT = -1
Operand = Union[int, float, npt.NDArray[np.float32]]

# Share of value or argument that two functions may differ by and be the same in float32.
_ROUNDING = 2e-6

# Up to here functions must be finite however they are written; exponentials overflow beyond.
_FINITE = 80.0


@dataclasses.dataclass(frozen=True)
class Step:
    """One operator.

    Attributes:
        kind: Its kind.
        operands: ``ARGUMENT``, the number of an earlier step, or a constant as float or array.
        options: As for ``Rewrite.replace``.
    """

    kind: str
    operands: tuple[Operand, ...] = (ARGUMENT,)
    options: tuple[str, dict[str, Any]] | None = None


@dataclasses.dataclass(frozen=True)
class Form:
    """How to compute a function.

    Attributes:
        name: What it is called in messages.
        steps: The operators; the last one gives the result.
        is_best: Whether it is better in int8 than any other form, even one of fewer operators.
    """

    name: str
    steps: tuple[Step, ...]
    is_best: bool = False


def form_of(x: Values, y: Values) -> Form | None:
    """The form of a function that is given by its values.

    Args:
        x: Points, with the first axis; -12 and 12 are among them.
        y: The values, with further axes for channels.

    Returns:
        None if the function is the identity or has no name.
    """
    if not np.isfinite(y[np.abs(x.ravel()) <= _FINITE]).all():
        return None
    at = {point: int(np.argmin(np.abs(x - point))) for point in (-12.0, 12.0)}
    slopes = y[at[-12.0]] / x[at[-12.0]]
    if _agree(x, y, np.where(x < 0, slopes * x, x)):
        return _of_slopes(slopes)
    for form, compute in _FORMS:
        if _agree(x, y, compute(x)):
            return form
    above = float(y[at[12.0]].flat[0]) / 12.0
    below = float(y[at[-12.0]].flat[0]) / float(np.expm1(-12.0))
    is_curved = abs(below) > _ROUNDING
    if is_curved and _agree(x, y, np.where(x < 0, below * np.expm1(np.minimum(x, 0.0)), above * x)):
        return _scaled_elu(above, below)
    return None


def _agree(x: Values, y: Values, other: Values) -> bool:
    size = np.maximum(np.maximum(np.abs(x), np.abs(other)), 1e-30)
    # At most a float32's rounding of what the operators compute on their way.
    close = np.abs(y - other) <= _ROUNDING * size
    return bool((close | (~np.isfinite(y) & (np.abs(x) > _FINITE))).all())


def _of_slopes(slopes: Values) -> Form | None:
    """The function that is the identity above 0 and has these slopes below, by channel."""
    if np.abs(slopes - 1.0).max() <= _ROUNDING:
        return None
    if np.abs(slopes).max() <= _ROUNDING:
        return _one("RELU")
    if np.abs(slopes + 1.0).max() <= _ROUNDING:
        return _one("ABS", "AbsOptions")
    if slopes.min() == slopes.max():
        return _one("LEAKY_RELU", "LeakyReluOptions", alpha=float(slopes.flat[0]))
    if slopes.shape[0] > 1:
        return None
    return Form("PRELU", (Step("PRELU", (ARGUMENT, slopes[0].astype(np.float32))),))


def _one(kind: str, options: str | None = None, **values: Any) -> Form:
    return Form(kind, (Step(kind, options=None if options is None else (options, values)),))


def _binary(kind: str, one: Operand, other: Operand) -> Step:
    return Step(kind, (one, other), (f"{kind.title()}Options", {}))


def _scaled_elu(above: float, below: float) -> Form:
    """An ELU with a factor on each branch, such as SELU: ``b elu(x) + (a - b) relu(x)``."""
    return Form(
        "scaled ELU",
        (
            Step("ELU"),
            _binary("MUL", 0, below),
            Step("RELU"),
            _binary("MUL", 2, above - below),
            _binary("ADD", 1, 3),
        ),
        is_best=True,
    )


def _clip(low: float, high: float) -> Callable[[Values], Values]:
    return lambda x: np.clip(x, low, high)


# log(1 + exp(x)) = relu(x) - log(sigmoid(|x|)): all of it is of the size of x, or below 1.
_SOFTPLUS = (
    Step("ABS", options=("AbsOptions", {})),
    Step("LOGISTIC", (0,)),
    Step("LOG", (1,)),
    Step("RELU"),
    _binary("SUB", 3, 2),
)

_FORMS: tuple[tuple[Form, Callable[[Values], Values]], ...] = (
    (_one("RELU6"), _clip(0.0, 6.0)),
    (_one("RELU_N1_TO_1"), _clip(-1.0, 1.0)),
    (_one("HARD_SWISH", "HardSwishOptions"), elementwise.hard_swish),
    (_one("GELU", "GeluOptions", approximate=False), lambda x: elementwise.gelu(x, False)),
    (_one("GELU", "GeluOptions", approximate=True), lambda x: elementwise.gelu(x, True)),
    (_one("ELU"), elementwise.elu),
    (_one("LOGISTIC"), elementwise.sigmoid),
    (_one("TANH"), np.tanh),
    (
        Form("swish", (Step("LOGISTIC"), _binary("MUL", ARGUMENT, 0))),
        lambda x: x * elementwise.sigmoid(x),
    ),
    (Form("softplus", _SOFTPLUS, is_best=True), elementwise.softplus),
    (
        Form(
            "log-sigmoid",
            (
                *_SOFTPLUS[:3],
                _binary("MUL", ARGUMENT, -1.0),
                Step("RELU", (3,)),
                _binary("SUB", 2, 4),
            ),
            is_best=True,
        ),
        lambda x: -elementwise.softplus(-x),
    ),
    (
        Form(
            "mish",
            (*_SOFTPLUS, Step("TANH", (4,)), _binary("MUL", ARGUMENT, 5)),
            is_best=True,
        ),
        lambda x: x * np.tanh(elementwise.softplus(x)),
    ),
)
