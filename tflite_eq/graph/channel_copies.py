"""Channels that a network holds several times, and what each copy is shifted by before rounding.

Of ``n`` copies of a value, shifted by ``(2 i - n + 1) / (2 n)`` steps and rounded, the mean is that
value rounded to an ``n``-th of a step (Hermite's identity). Copies of a channel stand side by side.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class ChannelCopies:
    """Which channels of a tensor are copies of one.

    Attributes:
        source: Which channel of the tensor without copies each one is, ascending, [C].
    """

    source: tuple[int, ...]

    @classmethod
    def of(cls, counts: Iterable[int]) -> ChannelCopies:
        """So many copies of each channel."""
        return cls(tuple(c for c, count in enumerate(counts) for _ in range(count)))

    @classmethod
    def joined(cls, parts: Iterable[ChannelCopies]) -> ChannelCopies:
        """Those of a concatenation."""
        return cls.of(int(n) for part in parts for n in np.bincount(part.source))

    @functools.cached_property
    def counts(self) -> Ints:
        """How many copies there are of each channel, itself counted, [C]."""
        return np.asarray(np.bincount(self.source)[list(self.source)])

    @functools.cached_property
    def numbers(self) -> Ints:
        """Which of its copies each channel is, from 0, [C]."""
        source = np.asarray(self.source)
        return np.asarray(np.arange(len(source)) - np.searchsorted(source, source))

    @functools.cached_property
    def shifts(self) -> Float:
        """What each is shifted by, in steps, [C]; 0 for a channel that is there once."""
        return ((2 * self.numbers - self.counts + 1) / (2 * self.counts)).astype(np.float32)

    def averaged(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The mean over the copies of each channel, [..., channels without copies]."""
        starts = np.flatnonzero(self.numbers == 0)
        sums = np.add.reduceat(values, starts, axis=-1)
        return np.asarray(sums / self.counts[starts].astype(sums.dtype))


Copies = Mapping[int, ChannelCopies]  # by tensor index
