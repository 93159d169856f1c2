"""Figures of a task: what is made of the entries of all samples, with an interval that fits it.

A rate of hits, a mean and a ratio in decibels have formulas (``intervals``). Everything else is
drawn anew from the samples, some hundred times (B. Efron 1979, Ann. Stat. 7:1), always the same
ones. Losses are differences on the same samples, which are known far better than either figure.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.intervals import Estimate

Entries = Sequence[Any]

# A figure of the samples, each counted so many times, [n].
Weighted = Callable[[npt.NDArray[np.int64]], float]


class Statistic(abc.ABC):
    """What is made of the entries of all samples."""

    @abc.abstractmethod
    def estimate(self, entries: Entries) -> Estimate:
        """The figure over samples, at least one."""

    @abc.abstractmethod
    def difference(self, first: Entries, second: Entries) -> Estimate:
        """The first figure less the second one, on the same samples."""


@dataclasses.dataclass(frozen=True)
class Rate(Statistic):
    """Share of samples that hit, in percent.

    Attributes:
        hit: Whether an entry does.
    """

    hit: Callable[[Any], bool]

    def estimate(self, entries: Entries) -> Estimate:
        """With Wilson's interval."""
        return intervals.rate(sum(map(self.hit, entries)), len(entries))

    def difference(self, first: Entries, second: Entries) -> Estimate:
        """With the interval of Bonett and Price."""
        pairs = [(self.hit(one), self.hit(other)) for one, other in zip(first, second)]
        lost = sum(one and not other for one, other in pairs)
        gained = sum(other and not one for one, other in pairs)
        return intervals.paired_difference(lost, gained, len(pairs))


@dataclasses.dataclass(frozen=True)
class Mean(Statistic):
    """Mean of a number.

    Attributes:
        number: That of an entry.
    """

    number: Callable[[Any], float]

    def estimate(self, entries: Entries) -> Estimate:
        """With Student's interval."""
        return intervals.mean(self._numbers(entries))

    def difference(self, first: Entries, second: Entries) -> Estimate:
        """With Student's interval of the differences."""
        return intervals.mean(self._numbers(first) - self._numbers(second))

    def _numbers(self, entries: Entries) -> npt.NDArray[np.float64]:
        return np.array([self.number(entry) for entry in entries], np.float64)


@dataclasses.dataclass(frozen=True)
class Decibels(Statistic):
    """10 log10 of the ratio of two sums over the samples.

    Attributes:
        signal: Of an entry.
        noise: Of an entry.
    """

    signal: Callable[[Any], float]
    noise: Callable[[Any], float]

    def estimate(self, entries: Entries) -> Estimate:
        """With the interval of the delta method; infinite without noise."""
        return intervals.ratio_db(self._of(self.signal, entries), self._of(self.noise, entries))

    def difference(self, first: Entries, second: Entries) -> Estimate:
        """Of the noises alone: both have the same signal."""
        noises = [self._of(self.noise, entries) for entries in (first, second)]
        if not noises[0].sum() and not noises[1].sum():
            return Estimate(0.0)
        return intervals.ratio_db(noises[1], noises[0])

    @staticmethod
    def _of(number: Callable[[Any], float], entries: Entries) -> npt.NDArray[np.float64]:
        return np.array([number(entry) for entry in entries], np.float64)


@dataclasses.dataclass(frozen=True)
class Pooled(Statistic):
    """What has to see all samples at once.

    Attributes:
        pool: Makes of the entries what gives the figure for any number of times that each counts.
    """

    pool: Callable[[Entries], Weighted]

    def estimate(self, entries: Entries) -> Estimate:
        """With a bootstrap's interval."""
        return intervals.bootstrap(self.pool(entries), len(entries))

    def difference(self, first: Entries, second: Entries) -> Estimate:
        """With the interval of a bootstrap that draws the same samples for both."""
        one, other = self.pool(first), self.pool(second)
        return intervals.bootstrap(lambda counts: one(counts) - other(counts), len(first))


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of a task.

    Attributes:
        name: In JSON, and for ``--metric``.
        title: What people read.
        unit: Of the figure: ``%``, ``dB``, or nothing.
        higher_is_better: Whether it is; ``None`` if nobody has said so.
        statistic: How it comes of the entries.
        digits: To print behind the point.
        meaning: What it is, half a sentence.
        can_be_lost: Whether there is a loss: not of what is infinite for the reference.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    statistic: Statistic
    digits: int
    meaning: str
    can_be_lost: bool = True

    @property
    def loss_unit(self) -> str:
        """What a difference of two such figures is in."""
        return "points" if self.unit == "%" else self.unit

    @property
    def has_loss(self) -> bool:
        """Whether it can be said how much worse a model is than the reference."""
        return self.can_be_lost and self.higher_is_better is not None

    def loss(self, reference: Entries, entries: Entries) -> Estimate:
        """How much worse a model is than the reference, on the same samples.

        Negative if it is better.
        """
        if self.higher_is_better:
            return self.statistic.difference(reference, entries)
        return self.statistic.difference(entries, reference)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "loss_unit": self.loss_unit,
            "higher_is_better": self.higher_is_better,
            "meaning": self.meaning,
        }
