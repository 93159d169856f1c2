"""Which of several models is closest to the float one, judged by few samples.

Samples differ in how hard they are by far more than models do, so models are compared sample by
sample. Errors of few samples have long tails - one that reaches beyond all others clips in every
model - so that a difference counts only if two figures agree on it: the error energy over all
samples, which is what SQNR is made of, and the mean of the differences in decibels, by more than
its standard error. All else is a tie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Energies = npt.NDArray[np.float64]

# Errors below this part of the output's signal are none: 120 dB.
_LEAST_NOISE = 1e-12


def floored(noise: Energies, signal: Energies) -> Energies:
    """Error energies [samples, outputs] that decibels can be taken of."""
    least = _LEAST_NOISE * signal.mean(axis=0) + np.finfo(np.float64).tiny
    return np.maximum(noise, least)


def gains_db(noise: Energies, base: Energies) -> npt.NDArray[np.float64]:
    """How much closer than ``base`` a model is over all samples, [outputs]."""
    return np.asarray(10 * np.log10(base.sum(axis=0) / noise.sum(axis=0)))


def is_closer(one: Energies, other: Energies) -> bool:
    """Whether a model is closer than another in one output, beyond chance.

    Args:
        one: Its error energy for every sample, [samples].
        other: The other's.
    """
    if one.sum() >= other.sum():
        return False
    differences = 10 * np.log10(other / one)
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return bool(differences.mean() > error)


def best(asked: Energies, others: Mapping[str, Energies], base: Energies) -> str | None:
    """The model that gains most over ``base`` in the output in which it gains least.

    Args:
        asked: Error energies of the model that was asked for, [samples, outputs].
        others: Those of models that leave something out, by name.
        base: Those of min-max scales.

    Returns:
        Name of another model; ``None`` unless one is closer beyond chance in the output that is the
        asked model's worst.
    """
    gains = gains_db(asked, base)
    worst = int(gains.argmin())
    found, most = None, float(gains[worst])
    for name, noise in others.items():
        least = float(gains_db(noise, base).min())
        if least > most and is_closer(noise[:, worst], asked[:, worst]):
            found, most = name, least
    return found
