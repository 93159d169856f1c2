"""Second moments of a layer's quantized inputs and FP32 outputs, and the error they describe.

With the inputs' Gram matrix H = X^T X and the slope c = X^T (y - X w0) known, the squared error of
any filter w0 + d of an output channel is a quadratic form,

    |y - X (w0 + d)|^2 = |y - X w0|^2 - 2 d . c + d^T H d,

so that nothing below looks at activations again. Filters are [groups, K / groups, D] throughout,
in the column order of ``search.rows.gather_rows``; a depthwise convolution has one group, and so
one small Gram matrix, per input channel.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]


class Moments:
    """Running sums over rows of inputs x and outputs y; memory does not grow with their number.

    Sums are taken around an origin near the means, so that a large mean does not drown what varies
    around it, and kept in float64.

    Attributes:
        groups: Filter groups.
        depth: Inputs of one group, D.
        count: Rows so far.
    """

    def __init__(self, input_origin: Float, output_origin: Float) -> None:
        """Start with no rows.

        Args:
            input_origin: What inputs are taken relative to, [groups, 1, D].
            output_origin: The same for outputs, [groups, 1, K / groups].
        """
        groups, _, depth = input_origin.shape
        channels = output_origin.shape[2]
        self._input_origin = input_origin
        self._output_origin = output_origin
        self.groups = groups
        self.depth = depth
        self.count = 0
        self._inputs = np.zeros((groups, depth))
        self._outputs = np.zeros((groups, channels))
        self._gram = np.zeros((groups, depth, depth))
        self._cross = np.zeros((groups, channels, depth))
        self._energy = np.zeros((groups, channels))

    def update(self, inputs: Float, outputs: Float) -> None:
        """Add rows.

        Args:
            inputs: De-quantized inputs, [groups, rows, D].
            outputs: FP32 outputs without bias, [groups, rows, K / groups].
        """
        x = inputs - self._input_origin
        y = outputs - self._output_origin
        transposed = x.transpose(0, 2, 1)
        self.count += x.shape[1]
        self._inputs += x.sum(axis=1, dtype=np.float64)
        self._outputs += y.sum(axis=1, dtype=np.float64)
        self._gram += np.matmul(transposed, x)
        self._cross += np.matmul(y.transpose(0, 2, 1), x)
        self._energy += np.einsum("gnk,gnk->gk", y, y, dtype=np.float64)

    def merge(self, other: Moments) -> None:
        """Add the rows of other moments with the same origins."""
        self.count += other.count
        self._inputs += other._inputs
        self._outputs += other._outputs
        self._gram += other._gram
        self._cross += other._cross
        self._energy += other._energy

    def error_around(self, filters: Double, centred: bool) -> QuadraticError:
        """The squared error per row as a function of the change of the filters.

        Args:
            filters: The filters that changes are counted from, [groups, K / groups, D].
            centred: Take channel means out first: a bias correction follows.
        """
        count = max(self.count, 1)
        x, y = self._inputs / count, self._outputs / count
        gram = self._gram / count - x[:, :, None] * x[:, None, :]
        cross = self._cross / count - y[:, :, None] * x[:, None, :]
        energy = self._energy / count - y**2
        if not centred:
            x = x + self._input_origin[:, 0]
            y = y + self._output_origin[:, 0]
            gram += x[:, :, None] * x[:, None, :]
            cross += y[:, :, None] * x[:, None, :]
            energy += y**2
        image = np.matmul(filters, gram)
        residual = energy + np.einsum("gkd,gkd->gk", filters, image - 2 * cross)
        return QuadraticError(gram, cross - image, np.maximum(residual, 0.0), energy)


@dataclasses.dataclass(frozen=True)
class QuadraticError:
    """Mean squared output error per channel as a function of a change d of the filters.

    Attributes:
        gram: Gram matrix of the inputs, H, [groups, D, D].
        slope: Minus half the derivative at d = 0, c, [groups, K / groups, D].
        residual: Error at d = 0, [groups, K / groups].
        signal: Mean square of the FP32 output, [groups, K / groups].
    """

    gram: Double
    slope: Double
    residual: Double
    signal: Double

    @property
    def mean_diagonal(self) -> Double:
        """Mean of the diagonal of H, the unit that ridges are counted in, [groups]; never 0."""
        mean = np.einsum("gdd->g", self.gram) / self.gram.shape[1]
        return np.where(mean > 0, mean, 1.0)

    def at(self, change: Double) -> Double:
        """Error of filters changed by ``change`` [groups, K / groups, D], [groups, K / groups]."""
        image = np.matmul(change, self.gram) - 2 * self.slope
        error: Double = self.residual + np.einsum("gkd,gkd->gk", change, image)
        return error

    def damped(self, ridge: float) -> Double:
        """H with ``ridge`` times its mean diagonal added to the diagonal, a copy."""
        gram = self.gram.copy()
        diagonal = np.einsum("gdd->gd", gram)  # a writable view
        diagonal += ridge * self.mean_diagonal[:, None]
        return gram
