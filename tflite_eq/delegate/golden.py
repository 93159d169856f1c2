"""Golden files: a model's inputs, and the outputs that the reference kernels computed from them.

Any other machine compares its own outputs with these, byte for byte.
``eq_benchmark --golden`` reads them, too; delegate/benchmark/golden_run.h says what stands where.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError
from tflite_eq.version import __version__

Array = npt.NDArray[Any]

_MAGIC = b"TFEQGOLD"
_FORMAT = 1
_HEADER = struct.Struct("<8s4I32s32s")
_RECORD = struct.Struct("<2I8i216s")
_MOST_DIMENSIONS = 8
# TFLite's numbers of types.
_TYPES = {
    "float32": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
}
_NAMES = {number: name for name, number in _TYPES.items()}


@dataclasses.dataclass(frozen=True)
class GoldenSample:
    """One inference.

    Attributes:
        inputs: Values of the model's inputs, in its order.
        outputs: Of its outputs.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Array]


@dataclasses.dataclass(frozen=True)
class GoldenRun:
    """What a golden file holds.

    Attributes:
        model_hash: SHA-256 of the model file.
        version: The package's that wrote it.
        input_names: Names of the inputs.
        output_names: Names of the outputs.
        samples: At least one; all have tensors of the same shapes and types.
    """

    model_hash: bytes
    version: str
    input_names: Sequence[str]
    output_names: Sequence[str]
    samples: Sequence[GoldenSample]


def golden_run(
    model: bytes,
    input_names: Sequence[str],
    output_names: Sequence[str],
    samples: Sequence[GoldenSample],
) -> GoldenRun:
    """The run of a model, as this package writes it."""
    return GoldenRun(
        hashlib.sha256(model).digest(), __version__, input_names, output_names, samples
    )


def content_of(run: GoldenRun) -> bytes:
    """The file's bytes.

    Raises:
        ConfigError: A tensor is of a type or shape that such files cannot hold, or changes its
            shape from sample to sample.
    """
    first = run.samples[0]
    tensors = list(zip((*run.input_names, *run.output_names), (*first.inputs, *first.outputs)))
    header = _HEADER.pack(
        _MAGIC,
        _FORMAT,
        len(run.samples),
        len(first.inputs),
        len(first.outputs),
        run.model_hash,
        run.version.encode()[:31],
    )
    parts = [header, *(_record(name, tensor) for name, tensor in tensors)]
    for sample in run.samples:
        for (name, like), tensor in zip(tensors, (*sample.inputs, *sample.outputs)):
            if tensor.shape != like.shape or tensor.dtype != like.dtype:
                raise ConfigError(
                    f"--golden: {name} has the shape {tensor.shape} in one sample and"
                    f" {like.shape} in another, and a golden file has room for one: use --samples 1"
                )
            parts.append(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
    return b"".join(parts)


def read(path: str | Path) -> GoldenRun:
    """Read a golden file.

    Raises:
        ConfigError: It is none, or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"golden file {path}: {error.strerror}") from error
    try:
        return _parse(data)
    except ValueError as error:
        raise ConfigError(f"golden file {path}: {error}") from error


def _record(name: str, tensor: Array) -> bytes:
    number = _TYPES.get(tensor.dtype.name)
    if number is None or tensor.ndim > _MOST_DIMENSIONS:
        raise ConfigError(
            f"{name} is of type {tensor.dtype} and has {tensor.ndim} dimensions; golden files hold"
            f" {', '.join(_TYPES)} of {_MOST_DIMENSIONS} dimensions at most"
        )
    dims = [*tensor.shape, *[0] * (_MOST_DIMENSIONS - tensor.ndim)]
    return _RECORD.pack(number, tensor.ndim, *dims, name.encode()[:215])


def _parse(data: bytes) -> GoldenRun:
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise ValueError(
            f"it is none: those of 'tflite-eq validate --golden' begin with {_MAGIC.decode()}"
        )
    _, form, samples, inputs, outputs, model_hash, version = _HEADER.unpack_from(data)
    if form != _FORMAT:
        raise ValueError(f"it is of format {form}, and this version reads format {_FORMAT}")
    begin = _HEADER.size + _RECORD.size * (inputs + outputs)
    if samples < 1 or outputs < 1 or len(data) < begin:
        raise ValueError(
            f"it is damaged or cut off: {samples} samples of {inputs} inputs and {outputs} outputs"
            f" in {len(data)} bytes"
        )
    records = [
        _RECORD.unpack_from(data, _HEADER.size + _RECORD.size * i) for i in range(inputs + outputs)
    ]
    shapes, types, names = [], [], []
    for number, (kind, rank, *rest) in enumerate(records):
        dims = rest[: min(rank, _MOST_DIMENSIONS)]
        if kind not in _NAMES or rank > _MOST_DIMENSIONS or min(dims, default=0) < 0:
            raise ValueError(f"it is damaged: the record of tensor {number} makes no sense")
        shapes.append(tuple(dims))
        types.append(np.dtype(_NAMES[kind]).newbyteorder("<"))
        names.append(rest[-1].rstrip(b"\0").decode(errors="replace"))
    sizes = [math.prod(shape) * kind.itemsize for shape, kind in zip(shapes, types)]
    if len(data) != begin + samples * sum(sizes):
        raise ValueError(
            f"it is damaged or cut off: {len(data)} bytes are not {samples} samples of"
            f" {sum(sizes)} bytes behind {begin}"
        )
    found = []
    for _ in range(samples):
        tensors = []
        for shape, kind, size in zip(shapes, types, sizes):
            tensors.append(np.frombuffer(data[begin : begin + size], kind).reshape(shape))
            begin += size
        found.append(GoldenSample(tensors[:inputs], tensors[inputs:]))
    text = version.rstrip(b"\0").decode(errors="replace")
    return GoldenRun(model_hash, text, names[:inputs], names[inputs:], found)
