"""How close one output of a model is to a reference's, over samples.

Figures are computed from a few numbers per sample, added up in the order of the samples, so that
they depend on nothing but the values. Integers that are no codes - classes, counts, conditions -
and texts are equal or not: they have no signal and no noise.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation.intervals import CONFIDENCE, Estimate, mean, rate, ratio_db
from tflite_eq.evaluation.metrics import cosine

Array = npt.NDArray[Any]
Scores = npt.NDArray[np.void]

# What is kept of one sample. Where shapes differ there is nothing else to tell.
SCORE = np.dtype(
    [
        ("same_shape", np.bool_),
        ("finite", np.bool_),
        ("agrees", np.bool_),
        ("equal", np.float64),
        ("cosine", np.float64),
        ("signal", np.float64),
        ("noise", np.float64),
        ("error", np.float64),
        ("peak", np.float64),
    ]
)


@dataclasses.dataclass(frozen=True)
class MaxError:
    """The largest difference.

    Attributes:
        value: Its magnitude; infinite where one of the two is NaN or infinite and the other is not.
        sample: Position of the sample.
        peak: Largest magnitude of the reference over all samples, to see it in proportion.
    """

    value: float
    sample: int
    peak: float


@dataclasses.dataclass(frozen=True)
class Closeness:
    """Figures of one output; rates in percent, with 95 % confidence intervals.

    All but ``n`` and ``same_shape`` are those of the samples in which both have the same shape, and
    ``None`` where there are none.

    Attributes:
        n: Number of samples.
        same_shape: Rate of samples in which the output has the reference's shape, which only open
            dimensions can change: a detector may find another number of things.
        not_finite: Number of samples in which either holds NaN or infinity.
        equal: Mean share of values that are the same.
        sqnr_db: 10 log10(sum of reference^2 / sum of (reference - model)^2), sums over all values
            of all samples; infinite if all are equal. ``None`` for integers and texts.
        cosine: Mean over the samples of the cosine between the two. ``None`` with ``sqnr_db``.
        max_error: The largest difference; ``None`` for texts.
        agreement: Rate of samples with the largest value at the same place; ``None`` where values
            cannot be scores of classes.
    """

    n: int
    same_shape: Estimate
    not_finite: int
    equal: Estimate | None = None
    sqnr_db: Estimate | None = None
    cosine: Estimate | None = None
    max_error: MaxError | None = None
    agreement: Estimate | None = None

    @property
    def is_identical(self) -> bool:
        """Whether every value of every sample is the same."""
        return self.same_shape.value == 100 and self.equal is not None and self.equal.value == 100

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity: None stands for it."""
        error = self.max_error and dataclasses.asdict(self.max_error)
        if error and not math.isfinite(error["value"]):
            error["value"] = None
        figures = ("same_shape", "equal", "sqnr_db", "cosine", "agreement")
        return {
            "n": self.n,
            "confidence": CONFIDENCE,
            "identical": self.is_identical,
            "not_finite": self.not_finite,
            "max_error": error,
            **{name: (e := getattr(self, name)) and e.to_dict() for name in figures},
        }


def score(values: Array, reference: Array, is_real: bool) -> tuple[Any, ...]:
    """One sample's entry of type ``SCORE``.

    Args:
        values: The model's.
        reference: The reference's.
        is_real: Whether they are real values.
    """
    nan = math.nan
    if values.shape != reference.shape:
        return False, True, False, nan, nan, nan, nan, nan, nan
    if not values.size:
        return True, True, True, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0
    if values.dtype.kind in "OSU":
        return True, True, False, float((values == reference).mean()), nan, nan, nan, nan, nan
    y, x = (a.reshape(-1).astype(np.float64) for a in (values, reference))
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    agrees, equal = bool(x.argmax() == y.argmax()), float(same.mean())
    if not is_real:
        error = float(np.abs(x - y).max())
        return True, True, agrees, equal, nan, nan, nan, error, float(np.abs(x).max())
    finite = np.isfinite(x) & np.isfinite(y)
    if not (finite | same).all():
        return True, False, agrees, equal, 0.0, 0.0, math.inf, math.inf, 0.0
    is_finite = bool(finite.all())
    if not is_finite:  # what both hold is no error
        x, y = x[finite], y[finite]
    difference = y - x
    error, peak = (float(np.abs(a).max(initial=0.0)) for a in (difference, x))
    signal, noise = float(x @ x), float(difference @ difference)
    return True, is_finite, agrees, equal, cosine(y, x), signal, noise, error, peak


def summarize(scores: Scores, ranks_classes: bool) -> Closeness:
    """Figures over all samples.

    Args:
        scores: Entries of type ``SCORE``, at least one.
        ranks_classes: Whether the values may be scores of classes, whose order matters.
    """
    fitting = np.flatnonzero(scores["same_shape"])
    found = scores[fitting]
    plain = Closeness(
        n=len(scores),
        same_shape=rate(len(found), len(scores)),
        not_finite=int(np.count_nonzero(~scores["finite"])),
    )
    if not len(found):
        return plain
    is_real = not np.isnan(found["noise"]).any()
    return dataclasses.replace(
        plain,
        equal=mean(100 * found["equal"].astype(np.float64), largest=100.0),
        sqnr_db=ratio_db(found["signal"], found["noise"]) if is_real else None,
        cosine=mean(found["cosine"], largest=1.0) if is_real else None,
        max_error=_max_error(found, fitting),
        agreement=rate(int(found["agrees"].sum()), len(found)) if ranks_classes else None,
    )


def _max_error(scores: Scores, positions: npt.NDArray[np.intp]) -> MaxError | None:
    errors = scores["error"]
    if np.isnan(errors).any():
        return None
    worst = int(errors.argmax())
    return MaxError(float(errors[worst]), int(positions[worst]), float(scores["peak"].max()))
