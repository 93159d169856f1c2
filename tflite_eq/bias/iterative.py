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


class ErrorSums:
    """Running per-channel sums over FP32 output y and quantization error d = y' - y.

    Squares and products are summed around an origin near the means: around 0 a mean far above what
    varies around it would leave nothing of that.
    """

    def __init__(self, channels: int) -> None:
        """Start with no values for ``channels`` output channels."""
        self.count = 0
        self._y_origin: Float = np.zeros(channels, np.float32)
        self._d_origin: Float = np.zeros(channels, np.float32)
        self._y = np.zeros(channels)
        self._d = np.zeros(channels)
        self._error = np.zeros(channels)
        self._yy = np.zeros(channels)
        self._yd = np.zeros(channels)
        self._dd = np.zeros(channels)

    def update(self, reference: Float, quantized: Float) -> None:
        """Add one sample's pre-activation outputs, channels last."""
        y = reference.reshape(-1, reference.shape[-1])
        d = quantized.reshape(y.shape) - y
        if not len(y):
            return
        if not self.count:
            self._y_origin, self._d_origin = _channel_means(y), _channel_means(d)
        self.count += len(y)
        self._error += d.sum(axis=0, dtype=np.float64)
        y = y - self._y_origin
        d -= self._d_origin
        self._y += y.sum(axis=0, dtype=np.float64)
        self._d += d.sum(axis=0, dtype=np.float64)
        self._yy += np.einsum("nk,nk->k", y, y)
        self._yd += np.einsum("nk,nk->k", y, d)
        self._dd += np.einsum("nk,nk->k", d, d)

    @property
    def signal(self) -> Double:
        """Energy of the FP32 output per channel, [K]."""
        origin = self._y_origin.astype(np.float64)
        return np.asarray(self._yy + 2 * origin * self._y + self.count * origin**2)

    @property
    def mean_shift(self) -> Double:
        """Mean of the error per channel, [K]; its negative is what IBC adds to the bias."""
        return np.asarray(self._error / max(self.count, 1))

    @property
    def restoring_gain(self) -> float:
        """Factor >= 1 on y' (around its mean) that takes out what clipping has shrunk it by.

        The least-squares factor over all channels, cov(y, y') / var(y'). Below 1 it would trade
        signal for noise that the next layer averages out anyway, so it stops at 1.
        This step is ours, not the paper's: the second moment's counterpart of the bias.
        """
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
        spread = np.maximum(self._variation(self._dd, self._d, self._d), 0.0)
        signal = max(float(self.signal.sum()), np.finfo(np.float64).tiny)
        return LayerErrors(
            mssr=float(self.count * (shift**2).sum() / signal),
            rqnsr=float(spread.sum() / signal),
        )

    def _variation(self, products: Double, one: Double, other: Double) -> Double:
        """Sum of products of what varies around the means, from sums around the origins, [K]."""
        return products - one * other / max(self.count, 1)


def _channel_means(rows: Float) -> Float:
    """Means over rows [n, K], rounded to float32, [K]."""
    return np.asarray(rows.mean(axis=0, dtype=np.float64).astype(np.float32))


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
