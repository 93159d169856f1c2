"""Refitting a layer's filters to the inputs that the quantized network really gives it.

The filters of the FP32 network are no longer the best ones when the inputs carry quantization
errors. Ridge regression from the quantized inputs onto the FP32 outputs, pulled towards the
original filters w0,

    minimise |y - X (w0 + d)|^2 + ridge * m * |d|^2     with m the mean diagonal of H = X^T X,

gives d = (H + ridge * m * I)^-1 c. How much pull is right depends on how many rows there are and
how noisy they are; a fixed ridge overfits some layers and harms. So the ridge of each layer is the
one whose d, computed from one half of the calibration samples, leaves the least error on the other
half, both ways; and where none of them improves on d = 0, the filters stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite_eq.reconstruction.moments import Double, QuadraticError

# Multiples of the mean diagonal of H, in steps of about a factor of 3.
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def ridge_change(error: QuadraticError, ridge: float) -> Double:
    """The change of the filters that ridge regression gives, [groups, K / groups, D]."""
    solution = np.linalg.solve(error.damped(ridge), error.slope.transpose(0, 2, 1))
    return np.ascontiguousarray(solution.transpose(0, 2, 1))


def choose_ridge(folds: Sequence[QuadraticError], ridges: Sequence[float] = RIDGES) -> float | None:
    """The ridge with the least error on samples it was not fitted to.

    Args:
        folds: Errors over disjoint sets of samples.
        ridges: Candidates.

    Returns:
        The best candidate; ``None`` if not refitting is better, or if there is one fold only.
    """
    if len(folds) < 2:
        return None
    best, least = None, (len(folds) - 1) * sum(float(fold.residual.sum()) for fold in folds)
    for ridge in ridges:
        found = 0.0
        for fitted in folds:
            change = ridge_change(fitted, ridge)
            found += sum(float(f.at(change).sum()) for f in folds if f is not fitted)
        if found < least:
            best, least = ridge, found
    return best
