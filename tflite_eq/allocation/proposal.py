"""What is proposed to spend precision on, before it is known whether it pays."""

from __future__ import annotations

import dataclasses

from tflite_eq.config import Config

# What has less of the noise of all is left alone, however little precision would cost there.
LEAST_NOISE = 0.02

# By how much sums of shares may be off.
ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Proposal:
    """Options with layers named in place of a share of the work.

    Attributes:
        config: The options.
        sentence: What it comes to and what it costs; empty if nothing is proposed.
    """

    config: Config
    sentence: str = ""
