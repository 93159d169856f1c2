"""What happens to files before the model sees them: to pixels (x - mean) / std, and before that."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError
from tflite_eq.json_fields import known_fields, typed, typed_list


class Resize(enum.Enum):
    """How an image gets the input's size."""

    CROP = "crop"  # the middle, after scaling the short side to 256/224 of the size
    STRETCH = "stretch"  # whole, in other proportions
    LETTERBOX = "letterbox"  # whole, between black bars


class ChannelOrder(enum.Enum):
    """In which order a model takes colours."""

    RGB = "rgb"
    BGR = "bgr"


class Exif(enum.Enum):
    """What a camera's note about how it was held is used for."""

    APPLY = "apply"  # the image is turned as viewers show it
    IGNORE = "ignore"  # pixels are taken as they are stored


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How files become samples, the same for all of a data set.

    Attributes:
        mean: Subtracted from pixels of 0..255; one number, or one per channel as the model takes
            them.
        std: Divides afterwards; one number, or one per channel. Not zero.
        resize: How an image gets the input's size.
        order: Order of the colours.
        exif: Whether images are turned upright.
        audio_rate: Samples per second that recordings must have; ``None`` takes what they have.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: Resize = Resize.CROP
    order: ChannelOrder = ChannelOrder.RGB
    exif: Exif = Exif.APPLY
    audio_rate: int | None = None

    def __post_init__(self) -> None:
        """Reject what would make the data useless.

        Raises:
            ConfigError: No number, one that is not finite, a std <= 0, another number of means than
                of stds, a rate < 1.
        """
        for option, values in (("image_mean", self.mean), ("image_std", self.std)):
            if not values:
                raise ConfigError(f"--{option} has no number; give one, or one per channel")
            if not all(math.isfinite(value) for value in values):
                raise ConfigError(f"--{option} {_shown(values)}: every number must be finite")
        if min(self.std) <= 0:
            raise ConfigError(
                f"--image_std {_shown(self.std)}: must be > 0, since pixels are divided by it; "
                "use 1 for no scaling"
            )
        if len(self.mean) > 1 < len(self.std) and len(self.mean) != len(self.std):
            raise ConfigError(
                f"--image_mean has {len(self.mean)} numbers and --image_std {len(self.std)}; give "
                "one for all channels, or one per channel"
            )
        if self.audio_rate is not None and self.audio_rate < 1:
            raise ConfigError(
                f"--audio_rate {self.audio_rate}: must be samples per second, such as 16000"
            )

    @property
    def scales_pixels(self) -> bool:
        """Whether pixels are something else afterwards."""
        return any(self.mean) or any(value != 1 for value in self.std)

    def check_channels(self, channels: int, name: str = "") -> None:
        """Make sure the numbers fit samples whose last dimension is ``channels``.

        Args:
            channels: The last dimension.
            name: The input's, for the message.

        Raises:
            ConfigError: Several numbers were given for another number of channels.
        """
        which = f"the model's input '{name}'" if name else "the model's input"
        for option, values in (("image_mean", self.mean), ("image_std", self.std)):
            if len(values) not in (1, channels):
                per_channel = f", or {channels} for its channels" if 1 < channels <= 16 else ""
                raise ConfigError(
                    f"--{option} has {len(values)} numbers, but the last dimension of {which} is "
                    f"{channels}; give one number{per_channel}"
                )

    def normalize(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(pixels - mean) / std in float32; the last dimension holds the channels."""
        values = pixels.astype(np.float32)
        values -= np.asarray(self.mean, np.float32)
        values /= np.asarray(self.std, np.float32)
        return values

    def flags(self) -> list[str]:
        """The command line's options that give the same, those with default values left out."""
        plain, default = self._options(), Preprocessing()._options()
        return [f"--{name}={value}" for name, value in plain.items() if value != default[name]]

    def differences(self, other: Preprocessing) -> list[str]:
        """What differs, one phrase each: ``--image_std 255 instead of 1``."""
        theirs = other._options()
        return [
            f"--{name} {value or 'not given'} instead of {theirs[name] or 'not given'}"
            for name, value in self._options().items()
            if value != theirs[name]
        ]

    def _options(self) -> dict[str, str]:
        """Values by option, as they are written on the command line."""
        return {
            "image_mean": _shown(self.mean),
            "image_std": _shown(self.std),
            "image_resize": self.resize.value,
            "image_order": self.order.value,
            "image_exif": self.exif.value,
            "audio_rate": "" if self.audio_rate is None else str(self.audio_rate),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for reports and records."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "resize": self.resize.value,
            "order": self.order.value,
            "exif": self.exif.value,
            "audio_rate": self.audio_rate,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Preprocessing:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: A field is unknown, of another type or not allowed.
        """
        fields = known_fields(plain, cls)
        for name in ("mean", "std"):
            if name in fields:
                fields[name] = tuple(typed_list(fields[name], float, name))
        for name, kind in (("resize", Resize), ("order", ChannelOrder), ("exif", Exif)):
            if name in fields:
                fields[name] = kind(fields[name])
        if fields.get("audio_rate") is not None:
            fields["audio_rate"] = typed(fields["audio_rate"], int, "audio_rate")
        try:
            return cls(**fields)
        except ConfigError as error:
            raise ValueError(str(error)) from error


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers separated by commas, e.g. ``'127.5'`` or ``'123.675,116.28,103.53'``.

    Raises:
        ConfigError: The text is something else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--{option} {text!r}: expected one number, or one per channel separated by commas, "
            "such as 127.5 or 123.675,116.28,103.53"
        ) from None


def _shown(values: Sequence[float]) -> str:
    # Equal numbers look the same: 0.0 is added, which makes 0.0 of -0.0.
    return ",".join(repr(float(value) + 0.0).removesuffix(".0") for value in values)
