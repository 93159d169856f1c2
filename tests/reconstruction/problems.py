"""Small random layers: rows, filters, and what the moments say about them."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tflite_eq.reconstruction.moments import Moments, QuadraticError

Double = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A layer at some rows.

    Attributes:
        rows: Inputs, [groups, n, D].
        outputs: FP32 outputs, [groups, n, K / groups].
        filters: Float filters, [groups, K / groups, D].
    """

    rows: Double
    outputs: Double
    filters: Double

    def moments(self, folds: int = 1, blocks: int = 3) -> list[Moments]:
        """Rows dealt out in blocks, block by block to one fold after the other."""
        x, y = self.rows.astype(np.float32), self.outputs.astype(np.float32)
        found = [Moments(x[:, :1], y[:, :1]) for _ in range(folds)]
        for i, part in enumerate(np.array_split(np.arange(x.shape[1]), folds * blocks)):
            found[i % folds].update(x[:, part], y[:, part])
        return found

    def errors(self, folds: int, centred: bool = True) -> list[QuadraticError]:
        return [m.error_around(self.filters, centred) for m in self.moments(folds)]

    def error_of(self, filters: Double, centred: bool = True) -> Double:
        """Mean squared output error per channel, straight from the rows."""
        difference = self.outputs - np.matmul(self.rows, filters.transpose(0, 2, 1))
        if centred:
            difference = difference - difference.mean(axis=1, keepdims=True)
        return np.square(difference).mean(axis=1)


def correlated_rows(rng: np.random.Generator, groups: int, count: int, depth: int) -> Double:
    """Rows with a mean and with correlated columns, as those of a convolution are."""
    mixing = rng.standard_normal((groups, depth, depth)) + 1.5
    return np.matmul(rng.standard_normal((groups, count, depth)), mixing) + 3.0


def problem(
    seed: int = 0,
    groups: int = 1,
    channels: int = 4,
    depth: int = 6,
    count: int = 400,
    noise: float = 1.0,
) -> Problem:
    """A layer whose outputs its filters give up to noise."""
    rng = np.random.default_rng([seed, groups, channels, depth])
    rows = correlated_rows(rng, groups, count, depth)
    filters = rng.standard_normal((groups, channels, depth))
    outputs = np.matmul(rows, filters.transpose(0, 2, 1))
    outputs += noise * rng.standard_normal((groups, count, channels))
    return Problem(rows, outputs, filters)
