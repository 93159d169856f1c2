"""Which of several models is to be kept, judged by few samples.

No output of what is kept may be further from the float network than min-max scales leave it, so
each output is looked at by itself, in two measures. The error energy over all samples is what SQNR
is made of, and hangs on the few loudest. The mean of the differences in decibels counts every
sample alike; since samples differ in how hard they are by far more than models do, models are
compared sample by sample.

Another model that is merely better has to be so in both measures, by more than the standard error.
All else is a tie, which keeps what was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Energies = npt.NDArray[np.float64]

# Errors below this part of the output's signal are none: 120 dB.
_LEAST_NOISE = 1e-12

# Decibels of SQNR that an output may lose to min-max scales. Half of what would be noticed: the
# samples that judge are not those that the model will see.
MARGIN_DB = 0.25


def floored(noise: Energies, signal: Energies) -> Energies:
    """Error energies [samples, outputs] that decibels can be taken of."""
    least = _LEAST_NOISE * signal.mean(axis=0) + np.finfo(np.float64).tiny
    return np.maximum(noise, least)


def gains_db(noise: Energies, base: Energies) -> npt.NDArray[np.float64]:
    """How much closer than ``base`` a model is over all samples, [outputs]."""
    return np.asarray(10 * np.log10(base.sum(axis=0) / noise.sum(axis=0)))


def lead_db(one: Energies, other: Energies) -> float:
    """Decibels by which a model is closer than another for sure, in the output with the least.

    Over all samples and on the mean sample, whichever is less; of the latter without two standard
    errors.
    """
    mean, error = _difference(one, other)
    return float(np.minimum(gains_db(one, other), mean - 2 * error).min())


def is_closer(one: Energies, other: Energies) -> bool:
    """Whether a model is closer than another in one output, beyond chance.

    Args:
        one: Its error energy for every sample, [samples].
        other: The other's.
    """
    mean, error = _difference(one[:, np.newaxis], other[:, np.newaxis])
    return bool(one.sum() < other.sum() and mean[0] > error[0])


def falls_below(noise: Energies, base: Energies) -> npt.NDArray[np.bool_]:
    """In which outputs a model is further from float than another, [outputs].

    Args:
        noise: Its error energies, [samples, outputs].
        base: The other's.

    Returns:
        True where it loses more than the margin over all samples, or on the mean sample beyond
        chance.
    """
    mean, error = _difference(noise, base)
    return np.asarray((gains_db(noise, base) < -MARGIN_DB) | (mean + error < -MARGIN_DB))


def best(asked: Energies, others: Mapping[str, Energies], base: Energies) -> str | None:
    """The model to keep in place of the one asked for.

    Where that one falls below ``base`` in some output, any that does so in none will do. Else, or
    without such a one, another has to be closer beyond chance in the output in which the one asked
    for gains least, and gain more in its own worst. Of several, the one that gains most there.

    Args:
        asked: Error energies of the model that was asked for, [samples, outputs].
        others: Those of models that leave something out, by name.
        base: Those of min-max scales.

    Returns:
        Name of another model, which falls below ``base`` nowhere if that can be had; ``None`` if
        the one asked for is as good.
    """
    gains = gains_db(asked, base)
    worst = int(gains.argmin())
    least = {name: float(gains_db(noise, base).min()) for name, noise in others.items()}
    sound = [name for name, noise in others.items() if not falls_below(noise, base).any()]
    if not falls_below(asked, base).any():
        eligible = sound
    elif sound:
        return max(sound, key=lambda name: least[name])
    else:
        eligible = list(others)
    closer = [
        name
        for name in eligible
        if least[name] > gains[worst] and is_closer(others[name][:, worst], asked[:, worst])
    ]
    return max(closer, key=lambda name: least[name], default=None)


def _difference(
    one: Energies, other: Energies
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Decibels by which a model is closer on the mean sample, and their standard error."""
    differences = 10 * np.log10(other / one)
    error = differences.std(axis=0, ddof=1) / math.sqrt(len(differences))
    return differences.mean(axis=0), error
