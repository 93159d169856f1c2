"""Samples in files: images, arrays, recordings, each brought to the form of a model's input.

Nothing is read before it is asked for, except file headers: a mistake in a path or a shape
is reported at once, a broken image when its turn comes.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data import arrays, audio, images
from tflite_eq.data.preprocessing import ChannelOrder, Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.graph.inputs import ModelInput
from tflite_eq.progress import note, track

Array = npt.NDArray[Any]

# Types that hold pixels of 0..255.
_PIXEL_TYPES = ("float32", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


class ImageSamples(Samples):
    """Image files, decoded and normalised on access."""

    def __init__(
        self, files: Sequence[Path], taker: ModelInput, preprocessing: Preprocessing
    ) -> None:
        """Keep the paths; no file is opened.

        Args:
            files: Image files.
            taker: The input: [1, height, width, channels], with 1 to 4 channels.
            preprocessing: Applied to every pixel. Inputs of integers take pixels as they are.

        Raises:
            DatasetError: The input takes no images.
            ModelError: It has several images in a batch, or an open height or width.
            ConfigError: The preprocessing does not fit the number of channels.
        """
        self.shape = taker.shape
        self._is_float = taker.dtype == np.float32
        if not takes_images(taker):
            raise DatasetError(
                f"the model's input {taker} does not take images, which need [batch, height, "
                "width, channels] with 1 (grey), 2 (grey and alpha), 3 (colour) or 4 (colour and "
                "alpha) channels; pass the data as a .npy or .npz file"
            )
        if not taker.is_batched:
            raise ModelError(
                f"the model's input {taker} takes {self.shape[0]} images at a time; convert the "
                f"model with a batch of 1, or pass arrays of shape {taker.wanted}"
            )
        if min(self.shape) < 1:
            raise ModelError(
                f"the model's input {taker} has no size that images could be brought to; give "
                "quantize one with --input_shape, or convert the model with a fixed input size"
            )
        channels = self.shape[-1]
        preprocessing.check_channels(channels, taker.name)
        if preprocessing.order is ChannelOrder.BGR and channels < 3:
            raise ConfigError(
                f"--image_order bgr: the model's input {taker} takes no colours; leave it out"
            )
        if not self._is_float and preprocessing.scales_pixels:
            raise ConfigError(
                f"the model's input {taker} takes pixels as they are; leave out --image_mean and "
                "--image_std"
            )
        if channels in (2, 4):
            note(f"note: input '{taker.name}' takes alpha: images without it get 255 (opaque)")
        self._dtype = taker.dtype
        self._files = tuple(files)
        self.preprocessing: Preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Array:
        _, height, width, channels = self.shape
        file = self._files[index]
        pixels = images.load_pixels(file, height, width, channels, self.preprocessing)
        values = self.preprocessing.normalize(pixels) if self._is_float else pixels
        return values.astype(self._dtype, copy=False)[np.newaxis]

    def name(self, index: int) -> str:
        """Path of the image."""
        return str(self._files[index])


class ArraySamples(Samples):
    """Rows of stored arrays: for inputs of real values uint8 is normalised, float taken as it is.

    Inputs of integers take integers as they are, as do those whose int8 codes are given.
    """

    def __init__(
        self, infos: Sequence[arrays.ArrayInfo], taker: ModelInput, preprocessing: Preprocessing
    ) -> None:
        """Keep the headers; no data are read.

        Args:
            infos: Stored arrays whose trailing shape is the input's, one behind the other.
            taker: The input.
            preprocessing: Applied to uint8 data for an input of real values.

        Raises:
            DatasetError: The input does not take an array's element type.
            ConfigError: The preprocessing does not fit the number of channels.
        """
        rows = [arrays.Rows(info, _row_shape(info, taker)) for info in infos]
        self._rows = tuple(rows)
        self._ends = tuple(itertools.accumulate(len(row) for row in rows))
        self._taker = taker
        self.shape = (1, *rows[0].row_shape) if taker.is_batched else rows[0].row_shape
        self._are_pixels = [is_pixels(info, taker) for info in infos]
        for info in infos:
            _check_type(info, taker)
        if any(self._are_pixels):
            preprocessing.check_channels(self.shape[-1] if self.shape else 1, taker.name)
            self.preprocessing = preprocessing
        self._normalization = preprocessing
        self._last: arrays.Rows | None = None

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Array:
        which, row = self._place(index)
        rows = self._rows[which]
        if self._last is not None and self._last is not rows:
            self._last.close()  # as few files at a time as can be
        self._last = rows
        values = rows.read(row)
        if self._are_pixels[which]:
            values = self._normalization.normalize(values)
        elif self._taker.dtype == np.float32:
            values = self._real(values, index)
        else:
            values = self._integer(values, index)
        return values[np.newaxis] if self._taker.is_batched else values

    def _real(self, values: Array, index: int) -> Array:
        if values.dtype.kind != "f":
            return values  # the model's own codes
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf, refused below
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise DatasetError(
                f"{self.name(index)} holds NaN or infinity; repair the data or remove the sample"
            )
        return values

    def _integer(self, values: Array, index: int) -> Array:
        """Values of the input's type, which must hold them."""
        found = values.astype(self._taker.dtype)
        if not np.array_equal(found, values):
            wrong = values.reshape(-1)[np.argmax((found != values).reshape(-1))]
            raise DatasetError(
                f"{self.name(index)} holds {wrong}, which {self._taker.dtype.name}, the type of "
                f"the model's input '{self._taker.name}', cannot; correct the data"
            )
        return found

    def _place(self, index: int) -> tuple[int, int]:
        """Array and row of a sample."""
        which = bisect.bisect_right(self._ends, index)
        return which, index - (self._ends[which - 1] if which else 0)

    def name(self, index: int) -> str:
        """File, key and position in the array."""
        which, row = self._place(index)
        return f"{self._rows[which].info.where} sample {row}"


class AudioSamples(Samples):
    """Windows of recordings, as long as the input, one behind the other."""

    def __init__(
        self, files: Sequence[Path], taker: ModelInput, preprocessing: Preprocessing
    ) -> None:
        """Read the headers.

        Args:
            files: Recordings.
            taker: The input: samples [n], or [n, channels] with 1 or 2 channels, with a batch of 1
                in front or without.
            preprocessing: Says what rate the recordings must have.

        Raises:
            DatasetError: The input takes no recordings, or a file is none or has another rate.
            ConfigError: soundfile is not installed.
        """
        row = taker.row_shape
        if not takes_recordings(taker):
            raise DatasetError(
                f"the model's input {taker} does not take recordings, which are float32 [samples], "
                "[samples, 1] or [samples, 2]; compute what the model takes of them and pass that "
                "as a .npy file"
            )
        if row[0] < 1:
            raise ModelError(
                f"the model's input {taker} has no length that recordings could be cut to; convert "
                "the model with a fixed length"
            )
        recordings = [audio.Recording.open(path) for path in track(files, "Reading recordings")]
        rate = audio.check_rate(recordings, preprocessing.audio_rate)
        self.shape = taker.shape
        self.preprocessing = preprocessing
        self._channels = row[1] if len(row) == 2 else 1
        if self._channels > 1:
            for recording in recordings:
                audio.check_channels(recording, self._channels)
        self._windows = tuple((r, start) for r in recordings for start in audio.windows(r, row[0]))
        self._row = row
        asked = ""
        if preprocessing.audio_rate is None:
            asked = (
                f", the recordings' rate; if it is the model's, too, say so: --audio_rate {rate}"
            )
        note(
            f"note: input '{taker.name}' gets {len(self._windows)} windows of {row[0]} samples, "
            f"{row[0] / rate:.3g} seconds at {rate} a second{asked}"
        )

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Array:
        recording, start = self._windows[index]
        values = recording.read(start, self._row[0])
        if self._channels == 1:
            values = values.mean(axis=1, dtype=np.float32)
        return values.reshape(self.shape)

    def name(self, index: int) -> str:
        """Path of the recording, and where the window begins."""
        recording, start = self._windows[index]
        return f"{recording.path} from {start / recording.rate:.3f} s"


def takes_images(taker: ModelInput) -> bool:
    """Whether images can be brought to an input's form."""
    shape = taker.shape
    is_image = len(shape) == 4 and shape[-1] in images.IMAGE_CHANNELS
    return is_image and taker.dtype.name in _PIXEL_TYPES


def takes_recordings(taker: ModelInput) -> bool:
    """Whether an input is a waveform: [samples], [samples, 1] or [samples, 2]."""
    row = taker.row_shape
    is_waveform = len(row) == 1 or (len(row) == 2 and row[1] in (1, 2))
    return is_waveform and taker.dtype == np.float32


def fits(info: arrays.ArrayInfo, taker: ModelInput) -> bool:
    """Whether an array consists of samples of an input's shape; an open dimension takes any."""
    wanted = taker.row_shape
    if not wanted:  # the trailing shape of anything
        return len(info.shape) < 2 or info.shape[1:] == (1,)
    if len(info.shape) < len(wanted):
        return False
    return all(size in (-1, there) for size, there in zip(wanted, _row_shape(info, taker)))


def _row_shape(info: arrays.ArrayInfo, taker: ModelInput) -> tuple[int, ...]:
    """Shape of one sample in an array, open dimensions as they are there."""
    return info.shape[len(info.shape) - len(taker.row_shape) :]


def is_pixels(info: arrays.ArrayInfo, taker: ModelInput) -> bool:
    """Whether an array is one of pixels that are normalised for an input."""
    return info.dtype == np.uint8 and taker.dtype == np.float32


def _check_type(info: arrays.ArrayInfo, taker: ModelInput) -> None:
    """Make sure that an input takes an array's element type.

    Raises:
        DatasetError: It does not.
    """
    kind = info.dtype.kind
    if taker.dtype == np.float32:
        fits_type = kind == "f" or info.dtype == np.uint8 or taker.codes == np.int8 == info.dtype
        wanted = (
            "store uint8 pixels (they go through --image_mean and --image_std) or float values as "
            "the model takes them"
        )
    else:
        fits_type = (kind in "iu" and taker.dtype.kind in "iu") or kind == taker.dtype.kind
        wanted = f"store {taker.type_name}"
    if not fits_type:
        raise DatasetError(
            f"{info.where} has element type {info.dtype.name}, the model's input '{taker.name}' "
            f"takes {taker.type_name}; {wanted}"
        )
