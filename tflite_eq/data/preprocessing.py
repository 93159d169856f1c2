"""What happens to a pixel before the model sees it: (x - mean) / std."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Normalisation of 0..255 pixels, the same for every image of a data set.

    Attributes:
        mean: Subtracted first; one number, or one per channel.
        std: Divides afterwards; one number, or one per channel. Not zero.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Reject what would make the data useless.

        Raises:
            ConfigError: Not one or three numbers, a number that is not finite, a std <= 0.
        """
        for option, values in (("image_mean", self.mean), ("image_std", self.std)):
            if len(values) not in (1, 3):
                raise ConfigError(
                    f"--{option} has {len(values)} numbers; give one for all channels or three, "
                    "for red, green and blue"
                )
            if not all(math.isfinite(value) for value in values):
                raise ConfigError(f"--{option} {_shown(values)}: every number must be finite")
        if min(self.std) <= 0:
            raise ConfigError(
                f"--image_std {_shown(self.std)}: must be > 0, since pixels are divided by it; "
                "use 1 for no scaling"
            )

    @classmethod
    def parse(cls, mean: str, std: str) -> Preprocessing:
        """Read the options' text, e.g. ``'127.5'`` or ``'123.675,116.28,103.53'``.

        Raises:
            ConfigError: The text is not one or three numbers, or the values are not allowed.
        """
        return cls(_numbers("image_mean", mean), _numbers("image_std", std))

    def check_channels(self, channels: int) -> None:
        """Make sure the numbers fit samples whose last dimension is ``channels``.

        Raises:
            ConfigError: Three numbers were given for samples without three channels.
        """
        for option, values in (("image_mean", self.mean), ("image_std", self.std)):
            if len(values) == 3 and channels != 3:
                raise ConfigError(
                    f"--{option} has three numbers, but the last dimension of the model's input "
                    f"is {channels}; give one number"
                )

    def normalize(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(pixels - mean) / std in float32; the last dimension holds the channels."""
        values = pixels.astype(np.float32)
        values -= np.asarray(self.mean, np.float32)
        values /= np.asarray(self.std, np.float32)
        return values

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for reports."""
        return {"mean": list(self.mean), "std": list(self.std)}


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--{option} {text!r}: expected one number or three separated by commas, "
            "such as 127.5 or 123.675,116.28,103.53"
        ) from None


def _shown(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
