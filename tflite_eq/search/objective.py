"""How well quantized weights and inputs reproduce a layer's FP32 output.

Losses are computed from per-channel sums over sampled rows. For weights, all candidates of all
channels share the quantized inputs X, so with the Gram matrix G = X^T X a candidate costs one
quadratic form per channel; with few rows the plain product X w is cheaper and is used instead.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Objective
from tflite_eq.search.sample_weights import Samples

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Criterion:
    """What candidates are compared by.

    Attributes:
        objective: Per-channel mean squared error or the paper's cosine.
        corrects_bias: Whether bias correction follows, so that a constant offset per channel
            costs nothing. The cosine ignores it: the paper computes it on the raw outputs.
    """

    objective: Objective
    corrects_bias: bool


class Reference:
    """FP32 output of a layer at the sampled rows, without bias.

    Attributes:
        output: [groups, rows, K / groups].
        centred: Whether channel means are taken out before comparing.
        objective: What candidates are compared by.
        energy: Per-channel sum of squares of the (centred) output, [K]: the losses' unit.
    """

    def __init__(self, output: Float, criterion: Criterion, samples: Samples | None = None) -> None:
        """Prepare the sums that every candidate is compared with.

        Args:
            output: FP32 output, [groups, rows, K / groups].
            criterion: What candidates are compared by.
            samples: Whose the rows are, for a squared error that is relative to each sample's own
                signal; ``None`` pools the squared errors of all rows. The cosine is pooled anyhow.
        """
        self.objective = criterion.objective
        self.centred = criterion.corrects_bias and criterion.objective is Objective.MSE
        self._means: Float | None = None
        self._roots: Float | None = None
        self.output = output
        if samples is None or criterion.objective is not Objective.MSE:
            self.output = self.compared(output)
        else:
            self._means = samples.means
            centred = self.compared(output)
            self._roots = np.sqrt(samples.weights(centred))[:, np.newaxis]
            self.output = centred * self._roots
        self.energy = _sums(self.output, self.output)

    def compared(self, values: Float) -> Float:
        """Values [groups, rows, n] as they are compared: without means, rows by their weights."""
        if self.centred:
            values = _centre(values, self._means)
            if self._roots is not None:
                values *= self._roots
            return values
        return values if self._roots is None else values * self._roots

    def sums(self, output: Float) -> tuple[Double, Double, Double]:
        """Sums (dot, norm, error), [K] each, for an output like this one, which is overwritten.

        With the squared error for objective the first two are 0: nobody asks for them.
        """
        dot = norm = np.zeros_like(self.energy)
        if self.objective is Objective.COSINE:
            dot, norm = _sums(self.output, output), _sums(output, output)
        error = np.subtract(self.output, output, out=output)
        return dot, norm, _sums(error, error)

    def losses(self, dot: Double, norm: Double, error: Double) -> Double:
        """Per-channel losses [K] from sums <y, y'>, <y', y'> and <y - y', y - y'>."""
        if self.objective is Objective.MSE:
            return error
        return 1.0 - _cosine(dot, norm, self.energy)

    def mean(self, losses: Double) -> float:
        """One figure for per-channel losses [K]: noise to signal ratio, or mean 1 - cosine."""
        if self.objective is Objective.MSE:
            return float(losses.sum() / max(self.energy.sum(), np.finfo(np.float64).tiny))
        return float(losses.mean())

    def total(self, dot: Double, norm: Double, error: Double) -> float:
        """One loss for the whole layer, as the activation scale needs it, without unit.

        MSE: the noise-to-signal ratio over all channels. Cosine: of the whole output.
        """
        if self.objective is Objective.MSE:
            return float(error.sum() / max(self.energy.sum(), np.finfo(np.float64).tiny))
        whole = _cosine(dot.sum(), norm.sum(), self.energy.sum())
        return float(1.0 - whole)


class QuantizedInput:
    """The sampled rows under one choice of input scale, ready to judge filters.

    Args:
        rows: Fake-quantized inputs, [groups, rows, D].
        filters: The float filters, [groups, K / groups, D].
        reference: What to compare with.
    """

    def __init__(self, rows: Float, filters: Float, reference: Reference) -> None:
        """Compute what all filter candidates have in common."""
        self._reference = reference
        self._filters = filters
        self._rows = reference.compared(rows)
        residual = _product(self._rows, filters)
        np.subtract(reference.output, residual, out=residual)
        _, count, depth = rows.shape
        self._gram: Float | None = None
        self._slope = np.matmul(residual.transpose(0, 2, 1), self._rows)
        self._diagonal = np.einsum("grd,grd->gd", self._rows, self._rows)[:, np.newaxis]
        if depth < count:
            self._gram = np.matmul(self._rows.transpose(0, 2, 1), self._rows)
            if reference.objective is Objective.COSINE:
                outputs = np.ascontiguousarray(reference.output.transpose(0, 2, 1))
                self._alignment = np.matmul(outputs, self._rows)
        self._residual_energy = _sums(residual, residual)

    def sums(self, candidate: Float) -> tuple[Double, Double, Double]:
        """Per-channel sums (dot, norm, error), [K] each, for filters shaped as ``filters``.

        With the squared error for objective the first two are 0: nobody asks for them.

        The error goes through the difference to the float filters: its square is what is left
        over, and computing it from dot and norm would cancel all significant digits.
        """
        if self._gram is None:
            return self._reference.sums(_product(self._rows, candidate))
        delta = candidate - self._filters
        spread = np.matmul(delta, self._gram)
        error = (
            self._residual_energy
            - 2 * np.einsum("gkd,gkd->gk", delta, self._slope, dtype=np.float64).ravel()
            + np.einsum("gkd,gkd->gk", delta, spread, dtype=np.float64).ravel()
        )
        if self._reference.objective is Objective.MSE:
            unused = np.zeros_like(error)
            return unused, unused, np.maximum(error, 0.0)
        dot = np.einsum("gkd,gkd->gk", candidate, self._alignment, dtype=np.float64).ravel()
        image = np.matmul(candidate, self._gram)
        norm = np.einsum("gkd,gkd->gk", candidate, image, dtype=np.float64).ravel()
        return dot, norm, np.maximum(error, 0.0)

    def estimates(self, candidate: Float) -> Double:
        """Per-channel squared errors [K] if inputs did not vary together, for the price of a sum.

        Args:
            candidate: Filters shaped as ``filters``; overwritten.
        """
        candidate -= self._filters
        weighted = candidate * self._diagonal
        weighted -= self._slope
        weighted -= self._slope
        change = np.einsum("gkd,gkd->gk", weighted, candidate).astype(np.float64)
        return np.asarray(np.maximum(self._residual_energy + change.ravel(), 0.0))

    def losses(self, candidate: Float) -> Double:
        """Per-channel losses of filters shaped as ``filters``, [K]."""
        return self._reference.losses(*self.sums(candidate))

    def total(self, candidate: Float) -> float:
        """Loss of the whole layer."""
        return self._reference.total(*self.sums(candidate))


def output_total(rows: Float, filters: Float, reference: Reference) -> float:
    """Loss of the whole layer for inputs that are looked at only once.

    Args:
        rows: Fake-quantized inputs, [groups, rows, D].
        filters: Fake-quantized filters, [groups, K / groups, D].
        reference: What to compare with.
    """
    output = reference.compared(_product(rows, filters))
    return reference.total(*reference.sums(output))


def _product(rows: Float, filters: Float) -> Float:
    product: Float = np.matmul(rows, filters.transpose(0, 2, 1))
    return product


def _centre(values: Float, shares: Float | None = None) -> Float:
    """Values [groups, rows, n] without the means over rows, as a new array.

    Rows count in the means by ``shares`` [rows], whose sum is 1, all the same if ``None``.
    """
    rows = values.shape[1]
    if shares is None:
        shares = np.full(rows, np.float32(1 / max(rows, 1)))
    means = np.matmul(shares[np.newaxis], values)
    centred: Float = values - means
    return centred


def _sums(a: Float, b: Float) -> Double:
    """Per-channel inner products of [groups, rows, K / groups] arrays, [K]."""
    sums: Double = np.einsum("grk,grk->gk", a, b).astype(np.float64).ravel()
    return sums


def _cosine(dot: Double, norm: Double, energy: Double) -> Double:
    tiny = np.finfo(np.float64).tiny
    return np.asarray(dot / np.sqrt(np.maximum(norm * energy, tiny)))
