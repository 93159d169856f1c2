"""Image files: finding them, decoding them, cutting them to a model's input size.

The cut is the usual one for ImageNet classifiers: the short side goes to 256/224 of the
input size and the middle is taken. Scaling is bilinear with antialiasing (the filter grows
with the reduction), as in torchvision and in ``tf.image.resize(antialias=True)``.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tflite_eq.errors import DatasetError

IMAGE_SUFFIXES = (
    ".bmp",
    ".gif",
    ".jfif",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
_MARGIN = 256 / 224
_MAX_ASPECT_RATIO = 64  # beyond this the scaled image, most of it cut away, fills the memory
_MODES = {1: "L", 3: "RGB"}


def is_image(path: Path) -> bool:
    """Whether the name says that the file is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def find_images(folder: Path) -> list[Path]:
    """All images in ``folder`` and below, in sorted order of their relative paths.

    Links to folders are followed, once each; hidden files and folders are not looked at.

    Raises:
        DatasetError: A folder cannot be listed, or there is no image.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(
            f"cannot list {error.filename}: {error.strerror}; change its permissions"
        ) from error

    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(path for path in (Path(parent, name) for name in names) if is_image(path))
    if not found:
        raise DatasetError(
            f"{folder}: no images in this folder or below; images end in "
            f"{', '.join(IMAGE_SUFFIXES)}; for arrays name the .npy or .npz file itself"
        )
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def load_pixels(path: Path, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """Decode one image, scale it and take the middle.

    Args:
        path: The image file.
        height: Rows of the result.
        width: Columns of the result.
        channels: 3 for RGB, 1 for luminance.

    Returns:
        Pixels of shape [height, width, channels].

    Raises:
        DatasetError: The file is missing or is no image that can be decoded to 8 bits.
    """
    try:
        with warnings.catch_warnings(), _opened(path) as opened:
            if opened.mode[:1] in "IF":  # Pillow would clip these at 255, not scale them
                raise DatasetError(
                    f"{path}: has more than 8 bits per channel (mode {opened.mode}); "
                    "convert it to 8 bits first"
                )
            image = opened.convert(_MODES[channels])
    except (DatasetError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such image") from error
    except Exception as error:  # decoders raise whatever their format's library does
        raise DatasetError(
            f"{path}: cannot be read as an image ({error}); replace or remove the file"
        ) from error
    image = _scale_and_crop(image, height, width, path)
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def _opened(path: Path) -> Image.Image:
    """The image, its decoder told to keep to itself what it can mend."""
    warnings.simplefilter("ignore")
    return Image.open(path)


def _scale_and_crop(image: Image.Image, height: int, width: int, path: Path) -> Image.Image:
    """Scale until the input size plus margin is covered, then cut out the middle.

    For a square input this is "short side to round(size * 256 / 224)".
    """
    if max(image.size) > _MAX_ASPECT_RATIO * min(image.size):
        raise DatasetError(
            f"{path}: {image.width} x {image.height} pixels is too long and thin to take its "
            "middle; remove the file"
        )
    cover_width, cover_height = round(width * _MARGIN), round(height * _MARGIN)
    scale = max(cover_width / image.width, cover_height / image.height)
    size = (
        max(cover_width, round(image.width * scale)),
        max(cover_height, round(image.height * scale)),
    )
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return image.crop((left, top, left + width, top + height))
