"""Damage to what holds samples and labels: arrays, images, lists, tables."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.networks import Random

SHAPE = (6, 6, 3)  # of one sample, as the network of these cases takes it
_TYPES = (
    "float32",
    "float64",
    "float16",
    "uint8",
    "int8",
    "int64",
    "bool",
    "complex64",
    "<U3",
    "O",
)
_LABELS = ("0", "3", "-1", "9", "1.5", "", " 2 ", "nan", "x", "1" * 30, "\x00", "1" * 6000)


def broken_bytes(rng: Random, content: bytes) -> bytes:
    """The content of a file as it is, or cut off, or with bytes changed."""
    data = bytearray(content)
    for _ in range(int(rng.choice([0, 0, 0, 0, 1, 1, 2, 4]))):
        if len(data) < 2:
            break
        position = int(rng.integers(len(data)))
        if rng.random() < 0.2:
            del data[position:]
        elif rng.random() < 0.5:
            data[position] = int(rng.integers(256))
        else:
            position = min(position, len(data) - 4) if len(data) >= 4 else 0
            number = int(rng.choice([0, 1, 255, 65535, (1 << 31) - 1, (1 << 32) - 1]))
            data[position : position + 4] = struct.pack("<I", number)
    return bytes(data)


def some_array(rng: Random) -> Any:
    """Samples, or values that are none: of another type, shape or size, or not finite."""
    shape: tuple[int, ...] = (int(rng.integers(0, 5)), *SHAPE)
    if rng.random() < 0.3:
        others = ((), (0,), SHAPE, (2, 6, 6), (1, 1, *shape), (3, 6, 6, 1), (2, 0, 6, 3))
        shape = others[int(rng.integers(len(others)))]
    values = rng.standard_normal(shape) * float(rng.choice([0, 1, 1, 1, 255, 1e20, 1e39, 1e300]))
    kind = str(rng.choice(_TYPES)) if rng.random() < 0.3 else "float32"
    with np.errstate(all="ignore"):
        values = np.asarray(values).astype(kind)
    if values.dtype.kind == "f" and values.size and rng.random() < 0.2:
        values.reshape(-1)[0] = rng.choice([np.nan, np.inf])
    if rng.random() < 0.2:
        values = np.asfortranarray(values)
    if rng.random() < 0.1 and values.dtype.kind in "fiu":
        values = values.astype(values.dtype.newbyteorder())
    return values


def some_labels(rng: Random) -> Any:
    """Labels, or what are none."""
    shape = [(3,), (3, 1), (0,), (2,), (3, 2), ()][int(rng.integers(6))]
    return rng.integers(-2, 9, shape).astype(
        str(rng.choice(["int64", "uint8", "uint64", "float32"]))
    )


def array_file(rng: Random, labels: bool = False) -> tuple[str, bytes]:
    """Name and content of a ``.npy`` or ``.npz`` file."""
    stream = io.BytesIO()
    if not labels and rng.random() < 0.4:
        np.save(stream, some_array(rng), allow_pickle=True)
        return "data.npy", broken_bytes(rng, _other_header(rng, stream.getvalue()))
    arrays = {f"x{i}": some_array(rng) for i in range(int(rng.integers(0, 2 if labels else 3)))}
    if labels:
        arrays["images"] = rng.standard_normal((3, *SHAPE)).astype(np.float32)
        arrays["label"] = some_labels(rng) if rng.random() < 0.5 else np.array([0, 1, 2])
    save: Any = np.savez if rng.random() < 0.5 else np.savez_compressed
    save(stream, **arrays)
    if rng.random() < 0.2:
        with zipfile.ZipFile(stream, "a") as archive:
            name = ["x0.npy", "../x.npy", ".npy", "a/.npy", "b.npy"][int(rng.integers(5))]
            archive.writestr(name, rng.bytes(int(rng.integers(0, 200))))
    return "data.npz", broken_bytes(rng, stream.getvalue())


def _other_header(rng: Random, content: bytes) -> bytes:
    """A ``.npy`` file whose header says something else of the same length."""
    if rng.random() < 0.6:
        return content
    header = content[10 : 10 + struct.unpack("<H", content[8:10])[0]]
    texts = (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 6, 6, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 6, 6, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 6, 6, 3)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (4, 6, 6, 3), }",
        "(" * 100,
        "{'descr': '<f4', 'fortran_order': 3, 'shape': [1], }",
        "{'descr': '<f4', 'shape': (1, 6, 6, 3), }",
    )
    text = texts[int(rng.integers(len(texts)))].encode()
    return content.replace(header, text[: len(header)].ljust(len(header) - 1) + b"\n")


def image_bytes(rng: Random) -> tuple[str, bytes]:
    """Suffix and content of an image file, perhaps broken, perhaps of another form."""
    sizes = ((9, 7), (9, 7), (6, 6), (6, 6), (64, 64), (1, 1), (400, 3), (1, 500))
    size = sizes[int(rng.integers(len(sizes)))]
    modes = ["RGB", "L", "RGBA", "P", "1", "I;16", "F", "CMYK", "LA"]
    mode = str(rng.choice(modes)) if rng.random() < 0.4 else "RGB"
    form = str(rng.choice(["PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP"]))
    stream = io.BytesIO()
    try:
        Image.new(mode, size).save(stream, form)
    except (OSError, ValueError, KeyError):  # a form without this mode
        Image.new("RGB", size).save(stream, form)
    suffix = {"JPEG": ".jpg", "TIFF": ".tif"}.get(form, f".{form.lower()}")
    if rng.random() < 0.1:
        suffix = str(rng.choice([".png", ".txt", ".JPG", ".webp"]))
    return suffix, broken_bytes(rng, stream.getvalue())


def image_folder(rng: Random, folder: Path) -> list[str]:
    """A folder of images; returns their names."""
    folder.mkdir()
    names = []
    for number in range(int(rng.integers(0, 4))):
        suffix, content = image_bytes(rng)
        names.append(f"{number}{suffix}")
        (folder / names[-1]).write_bytes(content)
    return names


def label_table(rng: Random, names: list[str]) -> bytes:
    """A CSV file of labels for the images."""
    columns = ["file", "label"]
    if rng.random() < 0.1:
        columns = [["label", "file"], ["file"], ["file", "file"], [], ["a", "b", "c"]][
            int(rng.integers(5))
        ]
    rows = [",".join(columns)]
    for name in names:
        label = _LABELS[int(rng.integers(len(_LABELS)))] if rng.random() < 0.1 else "1"
        rows.append(f"{name},{label}")
    for extra in (
        "../x.png,1",
        '"unclosed,1',
        ",1",
        f"{'n' * 300}.png,2",
        "0.png,1,1,1",
        "a\x00,1",
    ):
        if rng.random() < 0.07:
            rows.append(extra)
    separator = str(rng.choice(["\n", "\r\n", "\r"]))
    return broken_bytes(rng, separator.join(rows).encode())


def image_list(rng: Random, names: list[str], folder: str) -> bytes:
    """A text file that names images."""
    rows = [f"{folder}/{name}" for name in names]
    for extra in ("absent.png", "# comment", "", "notes.txt", "n" * 5000 + ".png", "a\x00.png"):
        if rng.random() < 0.1:
            rows.append(extra)
    return broken_bytes(rng, "\n".join(rows).encode())
