"""What each sample counts in a loss: errors by its own signal, so that none outvotes others.

The paper averages a scale-free measure over samples (eq. 4 of arXiv 2006.16669). Squared errors
pooled over samples are none: a sample whose activations are ten times larger counts a hundred
times, and a few such samples decide the scale that all others are rounded under. Here the squared
error of each sample is divided by that sample's own energy.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

# A sample with less than this part of the median's energy counts as if it had that: what is all but
# blank has rounding errors as large as itself under any scale, and nothing to tell.
_QUIETEST = 0.25


_TINY = float(np.finfo(np.float32).tiny)


@dataclasses.dataclass(frozen=True)
class Samples:
    """Whose sampled rows are.

    Attributes:
        rows: Number of the sample that each row is from, [rows].
        shares: What each sample counts beside others, by its number; the same if ``None``.
    """

    rows: npt.NDArray[np.int64]
    shares: Double | None = None

    def every(self, share: int) -> Samples:
        """Those of every ``share``-th row."""
        return Samples(self.rows[::share], self.shares)

    @property
    def means(self) -> Float | None:
        """What each row counts in a mean over rows, [rows], 1 in all; ``None`` if all the same."""
        if self.shares is None:
            return None
        counts = self.shares[self.rows]
        return np.asarray(counts / max(counts.sum(), _TINY), np.float32)

    def weights(self, values: Float) -> Float:
        """What each row counts in a sum of squared errors, [rows]; 1 on average.

        Args:
            values: What errors are relative to: FP32 values, without channel means where these do
                not count, [groups, rows, n].
        """
        energies = np.einsum("grk,grk->r", values, values).astype(np.float64)
        present, number = np.unique(self.rows, return_inverse=True)
        means = np.bincount(number, energies) / np.bincount(number)
        weights = 1 / np.maximum(means, max(_QUIETEST * float(np.median(means)), _TINY))
        if self.shares is not None:
            weights *= self.shares[present]
        rows = weights[number]
        return np.asarray(rows / rows.mean(), np.float32)
