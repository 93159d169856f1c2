"""Images: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.evaluation.tasks.base import (
    Array,
    OneOutputTask,
    array_shown,
    checked_option,
    same_shape,
)
from tflite_eq.evaluation.tasks.figures import Decibels, Figure, Mean

# Width of the window that structural similarity looks through.
_WINDOW = 7


@dataclasses.dataclass(frozen=True)
class Image(OneOutputTask):
    """An image. SSIM is scikit-image's, with its defaults: a window of 7 x 7, mean of the channels.

    Attributes:
        data_range: Largest pixel less the smallest one there may be: 255, 1, or 2 for -1..1.
    """

    data_range: float = math.nan

    name: ClassVar[str] = "image"
    takes: ClassVar[str] = (
        f"an image [height, width, 1 to 4 channels], {_WINDOW} or more pixels each way"
    )
    takes_truth: ClassVar[str] = "an image of the output's size and range"

    def __post_init__(self) -> None:
        """Check the options, and that there is what computes SSIM."""
        wanted = "the distance of the largest pixel from the smallest one, such as 255"
        checked_option(self.name, "data_range", not self.data_range <= 0, self.data_range, wanted)
        _structural_similarity()

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """PSNR and SSIM; without truth SSIM first: against itself a model has no PSNR to lose."""
        of = "the ground truth" if has_truth else "the float model's image"
        psnr = Figure(
            "psnr",
            "PSNR",
            "dB",
            True,
            Decibels(_peak, _squared_error),
            2,
            f"10 log10(range^2 / mean squared error against {of}, pixels of all samples)",
            can_be_lost=has_truth,
        )
        ssim = Figure(
            "ssim",
            "SSIM",
            "",
            True,
            Mean(_similarity),
            4,
            f"structural similarity to {of}, mean over the samples",
        )
        return (psnr, ssim) if has_truth else (ssim, psnr)

    def fits(self, value: Array) -> bool:
        """Whether it is an image."""
        shape = value.shape[1:] if len(value.shape) == 4 and value.shape[0] == 1 else value.shape
        return len(shape) in (2, 3) and min(shape[:2]) >= _WINDOW and (*shape, 1)[2] <= 4

    def form(self, value: Any) -> Array:
        """The image, [height, width, channels]; uint8 stays what it is."""
        found = self.array(value)
        if not self.fits(found):
            raise self.other_kind(array_shown(found))
        image = found[0] if found.ndim == 4 else found
        image = image.reshape(*image.shape[:2], -1)
        return image if image.dtype == np.uint8 else image.astype(np.float32)

    def scored(self, predicted: Any, expected: Any) -> tuple[float, float, float]:
        """Squared range, mean squared error, structural similarity."""
        same_shape(self, predicted, expected)
        size = self.data_range
        if math.isnan(size) and expected.dtype == np.uint8:
            size = 255.0
        if math.isnan(size):
            raise ModelError(
                "task image: the range of the pixels is not said (found "
                f"{expected.min():.4g} to {expected.max():.4g}); give --task_option "
                f"data_range={_suggested(expected)}"
            )
        values, wanted = (image.astype(np.float64) for image in (predicted, expected))
        error = float(np.square(values - wanted).mean())
        similarity = _structural_similarity()(
            wanted, values, win_size=_WINDOW, data_range=size, channel_axis=-1
        )
        return size * size, error, float(similarity)


def _suggested(image: npt.NDArray[Any]) -> str:
    """The range of pixels that values are of, most likely."""
    low, high = float(image.min()), float(image.max())
    if low < -0.1:
        return "2" if high - low < 4 else "255"
    return "1" if high < 2 else "255"


def _structural_similarity() -> Any:
    """The function of scikit-image.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise ConfigError(
            f"task image needs scikit-image ({error}): pip install 'tflite-eq[images]'"
        ) from error
    return structural_similarity


def _peak(entry: tuple[float, float, float]) -> float:
    return entry[0]


def _squared_error(entry: tuple[float, float, float]) -> float:
    return entry[1]


def _similarity(entry: tuple[float, float, float]) -> float:
    return entry[2]
