"""Combinations of options by what they are good for."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from tflite_eq.config import (
    COMPARED_OPTIONS,
    BiasCorrection,
    Bits,
    Config,
    Equalization,
    Objective,
    Reconstruction,
    SearchSettings,
    conflict_with_published,
    member_of,
    published_parts,
)
from tflite_eq.deprecated import warn_of_paper_preset
from tflite_eq.errors import ConfigError
from tflite_eq.numerics.windows import ActivationMode


class Preset(enum.Enum):
    """How much time to spend on accuracy.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.preset_config(tflite_eq.Preset.DEFAULT) == tflite_eq.Config()
        True
    """

    FAST = "fast"  # a coarse search on few rows of few samples, and bias correction: seconds
    DEFAULT = "default"  # ``Config()``
    BEST = "best"  # more samples, a longer search, filters refitted, precision where it gains
    PAPER = "paper"  # deprecated: ``method="easyquant-paper"`` is the paper's own algorithm


@dataclasses.dataclass(frozen=True)
class _Contents:
    samples: int
    options: dict[str, Any]
    # Shares of the work that precision may cost where it gains, of options that have a use for it.
    shares: dict[str, float] = dataclasses.field(default_factory=dict)


_CONTENTS = {
    Preset.FAST: _Contents(
        samples=20,
        options={
            "search": SearchSettings(steps=25, coarse=5, rows=1000, work=100_000_000, max_rounds=1)
        },
    ),
    Preset.DEFAULT: _Contents(samples=50, options={}),
    Preset.BEST: _Contents(
        samples=200,
        options={
            "reconstruction": Reconstruction.REFIT,
            "search": SearchSettings(max_rounds=4),
        },
        shares={"keep_int8_share": 0.1, "split_channels_share": 0.25},
    ),
    # Layer by layer, with what is told of it in docs/method.md, section 1.
    Preset.PAPER: _Contents(
        samples=50,
        options={
            "objective": Objective.COSINE,
            "activation_mode": ActivationMode.SYMMETRIC,
            "bias_correction": BiasCorrection.NONE,
            "equalization": Equalization.NONE,
            "fixed": COMPARED_OPTIONS,
            "search": SearchSettings(coarse=1, activation_share=1, max_rounds=1),
        },
    ),
}


def preset_config(preset: Preset | str, **options: Any) -> Config:
    """The options of a preset.

    Args:
        preset: The preset or its name.
        **options: Fields of ``Config`` that take precedence over the preset's.

    Raises:
        ConfigError: There is no such preset, or an option is not valid, or is not what a method
            that stands for a setting as published has.

    Example:
        >>> import tflite_eq
        >>> config = tflite_eq.preset_config("best", bits="7")
        >>> config.bits.value, config.reconstruction.value
        ('7', 'refit')
    """
    chosen = member_of(Preset, preset, "preset")
    warn_of_paper_preset(chosen is Preset.PAPER)
    try:
        config = Config(**{**_CONTENTS[chosen].options, **options})
        shares = _shares(_CONTENTS[chosen], config)
        config = dataclasses.replace(config, **{**shares, **options})
    except TypeError as error:
        raise ConfigError(f"unknown configuration entry: {error}") from error
    for name, value in published_parts(config.method).items():
        # Here defaults that are given can be told from those that are not.
        if member_of(type(value), options.get(name, value), name) is not value:
            raise conflict_with_published(name, options[name], config.method)
    return config


def _shares(contents: _Contents, config: Config) -> dict[str, float]:
    """Those of a preset's shares that go with the other options."""
    if config.method.is_published:
        return {}
    narrow = config.bits is not Bits.INT8
    return {n: s for n, s in contents.shares.items() if narrow or n != "keep_int8_share"}


def preset_samples(preset: Preset | str) -> int:
    """How many calibration samples a preset is meant for; more do no harm.

    Raises:
        ConfigError: There is no such preset.
    """
    return _CONTENTS[member_of(Preset, preset, "preset")].samples
