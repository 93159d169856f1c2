"""Iterative bias correction (IBC) of arXiv 1906.03193, section 3.

Quantization shifts the mean of every output channel, and the shifts add up over the layers. With
the layers taken in topological order, and each seen through the quantized and already corrected
network before it, the difference of the channel means of FP32 and quantized pre-activation output
is added to the bias. All sums are running sums: memory does not grow with the number of samples.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]


# A layer that lost more than half of its signal is broken; scaling it up does not mend it.
_MAX_GAIN = 2.0


# A mean of more deviations than this drowns what varies around it in float32 sums of squares.
_LARGEST_MEAN = 64.0
_DECIDING_ROWS = 8
_MOST_DECIDING_ROWS = 256


class ErrorSums:
    """Running per-channel sums over FP32 output y and quantization error d = y' - y.

    Squares and products of channels whose mean is far above what varies around it are summed
    around an origin near that mean: around 0 nothing would be left of the variation. The first
    few rows decide.
    """

    def __init__(self, channels: int) -> None:
        """Start with no values for ``channels`` output channels."""
        self.count = 0
        self._is_decided = False
        self._waiting: list[tuple[Float, Float]] = []
        self._y_origin: Float = np.zeros(channels, np.float32)
        self._d_origin: Float = np.zeros(channels, np.float32)
        self._error = np.zeros(channels)
        self._y = np.zeros(channels)
        self._d = np.zeros(channels)
        self._yy = np.zeros(channels)
        self._yd = np.zeros(channels)
        self._dd = np.zeros(channels)

    def update(self, reference: Float, quantized: Float) -> None:
        """Add one sample's pre-activation outputs, channels last."""
        y = reference.reshape(-1, reference.shape[-1])
        d = quantized.reshape(y.shape) - y
        self.count += len(y)
        if self._is_decided:
            self._add(y, d)
            return
        self._waiting.append((y, d))
        if self.count >= _DECIDING_ROWS:
            self._decide()

    def _decide(self) -> None:
        """Choose the origins by the rows so far, and add these."""
        if not self._waiting:
            return
        waiting, self._waiting, self._is_decided = self._waiting, [], True
        self._y_origin, self._d_origin = (_origin(rows) for rows in zip(*waiting))
        for y, d in waiting:
            self._add(y, d)

    def _add(self, y: Float, d: Float) -> None:
        error = _sum(d)
        self._error += error
        if self._y_origin.any():
            y = y - self._y_origin
        if self._d_origin.any():
            d = d - self._d_origin
            error = _sum(d)
        self._y += _sum(y)
        self._d += error
        self._yy += np.einsum("nk,nk->k", y, y)
        self._yd += np.einsum("nk,nk->k", y, d)
        self._dd += np.einsum("nk,nk->k", d, d)

    @property
    def signal(self) -> Double:
        """Energy of the FP32 output per channel, [K]."""
        self._decide()
        origin = self._y_origin.astype(np.float64)
        return np.asarray(self._yy + 2 * origin * self._y + self.count * origin**2)

    @property
    def mean_shift(self) -> Double:
        """Mean of the error per channel, [K]; its negative is what IBC adds to the bias."""
        self._decide()
        return np.asarray(self._error / max(self.count, 1))

    @property
    def restoring_gain(self) -> float:
        """Factor >= 1 on y' (around its mean) that takes out what clipping has shrunk it by.

        The least-squares factor over all channels, cov(y, y') / var(y'). Below 1 it would trade
        signal for noise that the next layer averages out anyway, so it stops at 1.
        This step is ours, not the paper's: the second moment's counterpart of the bias.
        """
        self._decide()
        spread = self._variation(self._yy, self._y, self._y)
        shared = self._variation(self._yd, self._y, self._d)
        noise = self._variation(self._dd, self._d, self._d)
        energy = float((spread + 2 * shared + noise).sum())
        if energy <= 0:
            return 1.0
        return float(np.clip((spread + shared).sum() / energy, 1.0, _MAX_GAIN))

    def layer_errors(self, offset: Float | Double | float = 0.0) -> LayerErrors:
        """The layer's figures if ``offset`` [K] were added to the quantized output."""
        shift = self.mean_shift + offset
        around = self._d / max(self.count, 1)
        spread = np.maximum(self._dd - self.count * around**2, 0.0)
        signal = max(float(self.signal.sum()), np.finfo(np.float64).tiny)
        return LayerErrors(
            mssr=float(self.count * (shift**2).sum() / signal),
            rqnsr=float(spread.sum() / signal),
        )

    def _variation(self, products: Double, one: Double, other: Double) -> Double:
        """Sum of products of what varies around the means, from sums around the origins, [K]."""
        return products - one * other / max(self.count, 1)


def _sum(rows: Float) -> Double:
    """Sums over at most some thousand rows [n, K], which float32 has the precision for, [K]."""
    ones = np.ones(len(rows), np.float32)
    sums: Double = np.matmul(ones, rows).astype(np.float64)
    return sums


def _origin(pieces: tuple[Float, ...]) -> Float:
    """Means [K] of the channels of pieces [n, K] that need one, else 0."""
    rows = np.concatenate(pieces)[:_MOST_DECIDING_ROWS]
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    is_far = (np.abs(mean) > _LARGEST_MEAN * deviation) & (deviation > 0)
    return np.where(is_far, mean, 0.0).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class LayerErrors:
    """Error of a layer's pre-activation output, split as in arXiv 1906.03193.

    Attributes:
        mssr: Mean shift to signal ratio: energy of the channel means of the error by energy of
            the FP32 output.
        rqnsr: Reduced quantization noise to signal ratio: energy of what remains of the error.
    """

    mssr: float
    rqnsr: float

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio of the whole error in decibels."""
        noise = self.mssr + self.rqnsr
        return float(-10 * np.log10(max(noise, 1e-30)))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for reports."""
        return {"mssr": self.mssr, "rqnsr": self.rqnsr, "sqnr_db": self.sqnr_db}
