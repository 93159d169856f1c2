"""Image files: finding them, decoding them, bringing them to a model's input size.

The default is the usual cut for ImageNet classifiers: the short side goes to 256/224 of the
input size and the middle is taken. Detectors and segmenters are fed whole images, stretched or
between bars. Scaling is bilinear with antialiasing (the filter grows with the reduction), as in
torchvision and in ``tf.image.resize(antialias=True)``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tflite_eq.data.preprocessing import ChannelOrder, Exif, Preprocessing, Resize
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
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_COLOURS = 3
_ORIENTATION = 0x0112  # of EXIF 2.3, table 4

# What to do with stored pixels so that the scene is upright, by that entry's value.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Channels that an image can be decoded to.
IMAGE_CHANNELS = tuple(_MODES)


def is_image(path: Path) -> bool:
    """Whether the name says that the file is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def load_pixels(
    path: Path,
    height: int,
    width: int,
    channels: int,
    preprocessing: Preprocessing = Preprocessing(),  # noqa: B008 - immutable
) -> npt.NDArray[np.uint8]:
    """Decode one image and bring it to a size.

    Args:
        path: The image file.
        height: Rows of the result.
        width: Columns of the result.
        channels: 1 for luminance, 2 for luminance and opacity, 3 for colours, 4 for colours and
            opacity; 255 is opaque, as are images that say nothing about it.
        preprocessing: Says how; its mean and std are not applied.

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
            turn = _turn(opened)
            image = opened.convert(_MODES[channels])
    except (DatasetError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such image") from error
    except Exception as error:  # decoders raise whatever their format's library does
        raise DatasetError(
            f"{path}: cannot be read as an image ({error}); replace or remove the file"
        ) from error
    if turn is not None and preprocessing.exif is Exif.APPLY:
        image = image.transpose(turn)
    image = _SIZED[preprocessing.resize](image, height, width, path)
    pixels = np.asarray(image, np.uint8).reshape(height, width, channels)
    if preprocessing.order is ChannelOrder.BGR and channels >= _COLOURS:
        colours, rest = pixels[..., :_COLOURS], pixels[..., _COLOURS:]
        pixels = np.concatenate([colours[..., ::-1], rest], axis=-1)
    return pixels


def _opened(path: Path) -> Image.Image:
    """The image, its decoder told to keep to itself what it can mend."""
    warnings.simplefilter("ignore")
    return Image.open(path)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What sets it upright, by the camera's note; ``None`` where there is nothing to do."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged note is no damaged image
        return None


def _cropped(image: Image.Image, height: int, width: int, path: Path) -> Image.Image:
    """Scale until the input size plus margin is covered, then cut out the middle.

    For a square input this is "short side to round(size * 256 / 224)".
    """
    if max(image.size) > _MAX_ASPECT_RATIO * min(image.size):
        raise DatasetError(
            f"{path}: {image.width} x {image.height} pixels is too long and thin to take its "
            "middle; remove the file, or use --image_resize stretch or letterbox"
        )
    cover_width, cover_height = round(width * _MARGIN), round(height * _MARGIN)
    scale = max(cover_width / image.width, cover_height / image.height)
    size = (
        max(cover_width, round(image.width * scale)),
        max(cover_height, round(image.height * scale)),
    )
    image = _scaled(image, size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return image.crop((left, top, left + width, top + height))


def _stretched(image: Image.Image, height: int, width: int, _path: Path) -> Image.Image:
    return _scaled(image, (width, height))


def _letterboxed(image: Image.Image, height: int, width: int, _path: Path) -> Image.Image:
    """Scale until it just fits, then put it into the middle of a black, opaque image."""
    scale = min(width / image.width, height / image.height)
    size = (
        min(width, max(1, round(image.width * scale))),
        min(height, max(1, round(image.height * scale))),
    )
    opaque = 255
    black = {"L": (0,), "LA": (0, opaque), "RGB": (0, 0, 0), "RGBA": (0, 0, 0, opaque)}
    whole = Image.new(image.mode, (width, height), black[image.mode])
    whole.paste(_scaled(image, size), ((width - size[0]) // 2, (height - size[1]) // 2))
    return whole


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """By itself each channel of what has one for opacity: Pillow would weigh colours by it."""
    if size == image.size:
        return image
    if image.mode in ("L", "RGB"):
        return image.resize(size, Image.Resampling.BILINEAR)
    bands = [band.resize(size, Image.Resampling.BILINEAR) for band in image.split()]
    return Image.merge(image.mode, bands)


_SIZED = {
    Resize.CROP: _cropped,
    Resize.STRETCH: _stretched,
    Resize.LETTERBOX: _letterboxed,
}
