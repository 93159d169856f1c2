"""Faster, equal or slower: what pairs of times say of a ratio, with what they cannot say."""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import statistics
from collections.abc import Sequence

# A smaller difference is none that anyone would notice.
_NEGLIGIBLE = 0.02
# An interval that reaches further to either side of 1 does not show that there is no difference.
_EQUAL_WITHIN = 0.1
_FEWEST_PAIRS = 6  # fewer give no interval of that confidence
_CONFIDENCE = 0.95


class Speed(enum.Enum):
    """What the delegate does to a model or a layer."""

    FASTER = "faster"
    EQUAL = "equal"
    SLOWER = "slower"
    UNDECIDED = "undecided"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How many times faster, as far as measured pairs tell.

    Attributes:
        speed: ``EQUAL`` where the interval reaches to either side of 1, or is close to it, but not
            far; ``UNDECIDED`` where it does, or the pairs are fewer than 6.
        ratio: Median over the pairs of time without over time with the delegate.
        low: Lower end of the median's interval, of a confidence of 95 % at least; the smallest
            ratio where the pairs are too few (fewer than 6) for that.
        high: Upper end.
        pairs: How many there were; 0 where nothing is delegated and there is nothing to measure.
    """

    speed: str
    ratio: float
    low: float
    high: float
    pairs: int


NOTHING_TO_COMPARE = Verdict(Speed.EQUAL.value, 1.0, 1.0, 1.0, 0)


def judge(without: Sequence[float], delegated: Sequence[float]) -> Verdict:
    """Compare times that were taken in pairs, one after the other.

    The interval is that of the sign test: it takes no shape of the noise for granted, and a slow
    spell of the machine hits both times of a pair or a few pairs.

    Args:
        without: Times of the runtime alone.
        delegated: Times with the delegate, of the same runs.

    Raises:
        ValueError: There are none, or not as many of either.
    """
    if not without or len(without) != len(delegated):
        raise ValueError("pairs of times are needed")
    ratios = sorted(a / b for a, b in zip(without, delegated))
    cut = _cut(len(ratios))
    low, high = ratios[cut], ratios[-1 - cut]
    middle = statistics.median(ratios)
    if len(ratios) < _FEWEST_PAIRS:
        speed = Speed.UNDECIDED
    elif low > 1 and middle > 1 + _NEGLIGIBLE:
        speed = Speed.FASTER
    elif high < 1 and middle < 1 - _NEGLIGIBLE:
        speed = Speed.SLOWER
    elif low < 1 - _EQUAL_WITHIN or high > 1 + _EQUAL_WITHIN:
        speed = Speed.UNDECIDED
    else:
        speed = Speed.EQUAL
    return Verdict(speed.value, round(middle, 4), round(low, 4), round(high, 4), len(ratios))


def _cut(count: int) -> int:
    """Values to leave out at either end of ``count`` sorted ones for the median's interval."""
    left_out = (1 - _CONFIDENCE) / 2
    below, cut = 0.0, -1
    while cut + 1 < (count + 1) // 2:
        below += math.comb(count, cut + 1) * 0.5**count
        if below > left_out:
            break
        cut += 1
    return max(cut, 0)


def pattern_of(names: Sequence[str]) -> str:
    """A regular expression for the option ``leave`` that matches these names and little else.

    Characters that separate options, or mean something to a shell, are left open.
    """
    return f"^({'|'.join(_escaped(name) for name in names)})$"


def _escaped(name: str) -> str:
    escaped = re.sub(r"([\\\[\](){}.*+?|^])", r"\\\1", name)
    # The library sees bytes, of which other characters have several.
    return re.sub(r"[^\x20-\x7e]+", ".+", re.sub(r"[;:,'\"`!$\s]", ".", escaped))
