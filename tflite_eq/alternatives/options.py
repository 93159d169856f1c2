"""What of a configuration may be left out if samples show that it does harm."""

from __future__ import annotations

import dataclasses

from tflite_eq.alternatives.min_max import min_max_config
from tflite_eq.config import BiasCorrection, Config, Equalization, Method
from tflite_eq.record.comparison import MIN_MAX
from tflite_eq.record.record import Calibration

NO_BIAS = "without bias correction"
NO_EQUALIZATION = "without equalization"
NEITHER = "without equalization and bias correction"

# Where filters are fitted or corrections held on to; elsewhere these are min-max scales alone.
WITH_MIN_MAX = "with min-max scales"


def less_of(record: Calibration) -> dict[str, Config]:
    """Configurations that leave out something nobody insisted on, by what they are.

    What is not at its default was asked for, and so was what ``Config.fixed`` names; both stay.

    Args:
        record: The calibration with everything. Equalization that found nothing to scale is left
            out of nothing.
    """
    config = record.config
    corrects = may_leave_out_bias(config)
    scales = (
        config.equalization is Equalization.AUTO
        and "equalization" not in config.fixed
        and bool(record.equalization)
    )
    found: dict[str, Config] = {}
    if corrects:
        found[NO_BIAS] = dataclasses.replace(config, bias_correction=BiasCorrection.NONE)
    if scales:
        found[NO_EQUALIZATION] = dataclasses.replace(config, equalization=Equalization.NONE)
    if corrects and scales:
        found[NEITHER] = dataclasses.replace(
            config, bias_correction=BiasCorrection.NONE, equalization=Equalization.NONE
        )
    if config.method is Method.EASYQUANT and "method" not in config.fixed:
        plain = min_max_config(config)
        simpler = dataclasses.replace(
            plain,
            bias_correction=plain.bias_correction if corrects else config.bias_correction,
            equalization=plain.equalization if scales else config.equalization,
            reconstruction=config.reconstruction,
        )
        found[MIN_MAX if simpler == plain else WITH_MIN_MAX] = simpler
    return found


def may_leave_out_bias(config: Config) -> bool:
    """Whether bias correction is there because it is the default."""
    return (
        config.bias_correction is BiasCorrection.ITERATIVE and "bias_correction" not in config.fixed
    )
