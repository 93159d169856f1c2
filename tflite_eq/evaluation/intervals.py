"""Figures measured on samples, with 95 % confidence intervals that mean something at the ends too.

Rates are counts of few or no events as often as not: 0 of 200 images lost, 1000 of 1000 agreed.
There the usual standard error is 0, as if the rate were known. The intervals here are those that
keep their coverage at the ends:

- one rate: Wilson's score interval (E. B. Wilson 1927, JASA 22:209), all `p` that the count
  does not reject, `|p - x/n| <= z sqrt(p (1 - p) / n)`;
- the difference of two rates on the same samples: Bonett and Price's adjusted Wald interval
  (D. G. Bonett, R. M. Price 2012, Br. J. Math. Stat. Psychol. 65:479). It depends on nothing but
  the samples on which the two differ, as McNemar's test does. Newcombe's square-and-add interval
  (his method 10) needs both rates besides and shrinks to nothing as they become the same; an exact
  one would have to eliminate a parameter by search. Fagerland, Lydersen and Laake (2014, Stat. Med.
  33:2850) recommend both of the former.
- the mean of a measured quantity: Student's t;
- a ratio of two sums over the samples, such as signal to noise: Student's t for its logarithm,
  whose error is that of the first order (delta method);
- anything else: percentiles of a bootstrap over the samples (B. Efron 1979, Ann. Stat. 7:1), drawn
  with a fixed seed.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95

# Drawings of a bootstrap: enough for ends that move by a tenth of the interval's width.
RESAMPLES = 400

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_SEED = 0


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure measured on a sample of images.

    Attributes:
        value: The figure.
        low: Lower end of its 95 % confidence interval; ``None`` if nothing can be said: of a mean
            of one value or of equal ones, of an infinite ratio.
        high: Upper end; ``None`` with ``low``.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def text(self, digits: int) -> str:
        """The figure and its interval: ``99.3 [98.6, 99.7]``."""
        return f"{self.value_text(digits)} {self.interval_text(digits)}".rstrip()

    def value_text(self, digits: int) -> str:
        """The figure alone: ``99.3``."""
        return _rounded(self.value, digits)

    def interval_text(self, digits: int) -> str:
        """The interval alone: ``[98.6, 99.7]``; empty without one."""
        if self.low is None or self.high is None:
            return ""
        return f"[{_rounded(self.low, digits)}, {_rounded(self.high, digits)}]"

    def complement(self, whole: float) -> Estimate:
        """What is missing to ``whole``, to nine digits: 100 - 99.7 is not 0.3 in binary."""
        low, high = (
            None if end is None else round(whole - end, 9) for end in (self.high, self.low)
        )
        return Estimate(round(whole - self.value, 9), low, high)

    def to_dict(self) -> dict[str, float | None]:
        """For JSON, which has no infinity: None stands for it."""
        value = self.value if math.isfinite(self.value) else None
        return {"value": value, "low": self.low, "high": self.high}


def rate(hits: int, count: int) -> Estimate:
    """A rate in percent with Wilson's interval.

    Args:
        hits: How often it happened.
        count: Out of how many, at least 1.
    """
    share, squared = hits / count, _Z * _Z / count
    centre = share + squared / 2
    spread = math.sqrt(squared * share * (1 - share) + squared * squared / 4)
    low, high = (centre - spread) / (1 + squared), (centre + spread) / (1 + squared)
    # In exact arithmetic the ends are 0 and 1 there.
    low, high = (0.0 if hits == 0 else low), (1.0 if hits == count else high)
    return Estimate(100 * share, 100 * low, 100 * high)


def paired_difference(lost: int, gained: int, count: int) -> Estimate:
    """What one rate is below another on the same samples, in percentage points.

    With ``p = (lost + 1) / (n + 2)`` and ``q = (gained + 1) / (n + 2)`` the interval is
    ``p - q -+ z sqrt((p + q - (p - q)^2) / (n + 2))``: one sample more on either side, so that
    no difference seen is not taken for none there is.

    Args:
        lost: Samples that only the first one hits.
        gained: Samples that only the second one hits.
        count: Number of samples, at least 1.
    """
    whole = count + 2
    first, second = (lost + 1) / whole, (gained + 1) / whole
    centre = first - second
    spread = _Z * math.sqrt((first + second - centre * centre) / whole)
    low, high = max(centre - spread, -1.0), min(centre + spread, 1.0)
    return Estimate(100 * (lost - gained) / count, 100 * low, 100 * high)


def mean(values: npt.NDArray[np.float64], largest: float = math.inf) -> Estimate:
    """A mean with Student's interval.

    Args:
        values: At least one.
        largest: No mean can be above that; the interval ends there.
    """
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return around(float(values.mean()), spread / math.sqrt(len(values)), len(values), largest)


def ratio_db(signal: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]) -> Estimate:
    """10 log10(sum(signal) / sum(noise)) over samples, its interval by the delta method.

    Sample i moves ln(S / N) by s_i / S - e_i / N; these influences sum to zero, and the
    variance of the logarithm is n / (n - 1) times the sum of their squares.
    """
    total_signal, total_noise = float(signal.sum()), float(noise.sum())
    if total_noise == 0:
        return Estimate(math.inf)
    if total_signal == 0 or math.isinf(total_noise):
        return Estimate(-math.inf)
    influence = signal / total_signal - noise / total_noise
    count = len(signal)
    variance = float(influence @ influence) * count / (count - 1) if count > 1 else 0.0
    ratio = 10 * math.log10(total_signal / total_noise)
    return around(ratio, 10 / math.log(10) * math.sqrt(variance), count)


def bootstrap(figure: Callable[[npt.NDArray[np.int64]], float], count: int) -> Estimate:
    """A figure of all samples with the percentiles of what it is on samples drawn from them.

    Drawings that leave nothing to tell it by are left out; where no two differ there is no
    interval.

    Args:
        figure: Of how often each sample counts, [count]; NaN where it cannot be told.
        count: Number of samples, at least 1.
    """
    value = float(figure(np.ones(count, np.int64)))
    if count < 2 or not math.isfinite(value):
        return Estimate(value)
    # ``random()`` alone gives the same sequence in every version of Python and NumPy.
    generator = random.Random(_SEED)
    drawings = []
    for _ in range(RESAMPLES):
        places = [int(generator.random() * count) for _ in range(count)]
        drawings.append(figure(np.bincount(places, minlength=count)))
    drawn = np.array(drawings, np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or drawn.min() == drawn.max():
        return Estimate(value)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def around(value: float, error: float, count: int, largest: float = math.inf) -> Estimate:
    """A figure with Student's interval from its standard error over ``count`` samples.

    Without spread there is nothing to tell the error by, and so no interval.
    """
    if count < 2 or not math.isfinite(value) or not error > 0:
        return Estimate(value)
    reach = student_quantile(count - 1) * error
    return Estimate(value, value - reach, min(value + reach, largest))


def student_quantile(freedom: int) -> float:
    """Half the width of a 95 % interval of a mean in standard errors.

    Closed forms for 1 and 2 degrees of freedom; beyond, the expansion about the normal quantile in
    powers of 1 / freedom (Abramowitz and Stegun 26.7.5), from 3 on right to half a percent.
    """
    upper = (1 + CONFIDENCE) / 2
    if freedom == 1:
        return math.tan(math.pi * (upper - 0.5))
    if freedom == 2:
        return (2 * upper - 1) / math.sqrt(2 * upper * (1 - upper))
    z, v = _Z, freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )


def smallest_upper_end(count: int, is_paired: bool) -> float:
    """What the interval of a loss reaches to if none of ``count`` samples is lost, in points."""
    none_lost = paired_difference(0, 0, count) if is_paired else rate(0, count)
    assert none_lost.high is not None
    return none_lost.high


def samples_to_reach(upper_end: float, is_paired: bool) -> int:
    """Samples of which none may be lost so that the interval of the loss ends below that.

    Args:
        upper_end: Percentage points, above 0.
        is_paired: Whether the loss is a difference of two rates, or one rate.
    """
    low, high = 0, 1
    while smallest_upper_end(high, is_paired) > upper_end:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if smallest_upper_end(middle, is_paired) > upper_end:
            low = middle
        else:
            high = middle
    return high


def shown(entry: dict[str, Any], digits: int) -> str:
    """``Estimate.text`` of what ``Estimate.to_dict`` gave."""
    value = math.inf if entry["value"] is None else entry["value"]
    return Estimate(value, entry["low"], entry["high"]).text(digits)


def _rounded(value: float, digits: int) -> str:
    """Fixed digits, without the sign of a zero."""
    return f"{value:.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"
