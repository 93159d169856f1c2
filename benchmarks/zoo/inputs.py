"""Inputs for models of any kind: photographs where they fit, else signals made up for the purpose.

A quantized network is measured against its float one, so that it matters little whether a face
detector sees faces; that values are distributed as its preprocessing gives them does matter.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tflite_eq.graph.model import Graph, Tensor

Float = npt.NDArray[np.float32]

# What pixels are scaled by: one number, or one for each channel.
Pixel = float | Float

_IMAGE_CHANNELS = (1, 3, 4)
_AUDIO_LENGTH = 4000  # inputs with more values in one dimension are waveforms
_AUDIO_RATE = 22050


def make_inputs(
    graph: Graph, photographs: Sequence[Path], mean: Pixel, std: Pixel, seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """One array [N, ...] by input name, N being the number of photographs.

    Args:
        graph: The float network. Open dimensions must be those of the batch.
        photographs: Files.
        mean: Subtracted from pixels of 0..255 for inputs of real numbers; all channels, or [C].
        std: Divides them then.
        seed: Of what is made up.
    """
    made = {}
    for number, index in enumerate(graph.inputs):
        tensor, rng = graph.tensors[index], np.random.default_rng([seed, number])
        made[tensor.name] = np.concatenate(
            [_input(tensor, path, mean, std, rng) for path in photographs]
        )
    return made


def pixel_values(text: str) -> Pixel:
    """A number of a zoo's table, or one for each channel with spaces between."""
    values = [float(word) for word in text.split()]
    return values[0] if len(values) == 1 else np.array(values, np.float32)


def photographs_of(data: Path, table: str, count: int) -> list[Path]:
    """The first images that a CSV file of the shared data names."""
    with (data / f"{table}.csv").open(newline="") as stream:
        rows = [row["file"] for row in csv.DictReader(stream)]
    return [data / "images" / name for name in rows[:count]]


def _input(tensor: Tensor, path: Path, mean: Pixel, std: Pixel, rng: np.random.Generator) -> Float:
    shape = (1, *tensor.shape[len(tensor.shape) > 1 :])  # a vector has no batch
    if len(shape) == 4 and shape[3] in _IMAGE_CHANNELS and min(shape[1:3]) > 1:
        values = _pixels(path, shape, mean, std) if tensor.is_float else _pixels(path, shape, 0, 1)
        return values if tensor.is_float else values.astype(tensor.type_name.lower())
    if max(shape) > _AUDIO_LENGTH:
        return _tones(max(shape), rng).reshape(shape)
    return _features(shape, rng)


def _pixels(path: Path, shape: Sequence[int], mean: Pixel, std: Pixel) -> Float:
    """The whole image squeezed to the input's size; a fourth channel is an empty mask."""
    _, height, width, channels = shape
    with Image.open(path) as image:
        plain = image.convert("L" if channels == 1 else "RGB").resize((width, height))
    values = (np.asarray(plain, np.float32).reshape(height, width, -1) - mean) / std
    missing = np.zeros((height, width, channels - values.shape[2]), np.float32)
    return np.concatenate([values, missing], axis=2, dtype=np.float32)[np.newaxis]


def _tones(length: int, rng: np.random.Generator) -> Float:
    """A chord of decaying notes with overtones, over faint noise."""
    time = np.arange(length) / _AUDIO_RATE
    signal = 0.003 * rng.standard_normal(length)
    for _ in range(rng.integers(2, 6)):
        pitch = 55 * 2 ** rng.uniform(0, 4)
        decay = np.exp(-np.maximum(time - rng.uniform(0, 1), 0) * rng.uniform(1, 4))
        for overtone in range(1, 6):
            phase = rng.uniform(0, 2 * np.pi)
            loud = 0.15 / overtone**1.5
            signal += loud * decay * np.sin(2 * np.pi * pitch * overtone * time + phase)
    return signal.astype(np.float32)


def _features(shape: Sequence[int], rng: np.random.Generator) -> Float:
    """Values of deviation 1 that change slowly along the last dimension, as spectra do."""
    noise = rng.standard_normal((*shape[:-1], shape[-1] + 8))
    smooth = np.lib.stride_tricks.sliding_window_view(noise, 9, axis=-1).mean(-1) * 3
    return smooth[..., : shape[-1]].astype(np.float32)
