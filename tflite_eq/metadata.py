"""The record inside a quantized ``.tflite`` that says how it was made and which codes it uses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from tflite_eq.graph import schema

NAME = "tflite_eq"
_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Record:
    """What the quantizer tells the delegate and the curious.

    The windows are a promise about the calibration data only; a kernel that relies on one must
    check codes at run time.

    Attributes:
        tool_version: Version of this package.
        backend: What laid out the int8 graph: this package, or in files of earlier versions another
            quantizer.
        config: Options, as ``Config.as_dict`` gives them.
        samples: Number of calibration samples.
        calibration_sha256: Hash of the calibration record's decisions.
        data_sha256: Hash of the calibration samples.
        windows: Smallest and largest code by tensor name, for tensors with a 7-bit window.
        lattice: Output tensor names of the layers with even-triplet weights.
    """

    tool_version: str
    backend: str
    config: dict[str, Any]
    samples: int
    calibration_sha256: str
    data_sha256: str
    windows: dict[str, tuple[int, int]]
    lattice: list[str]


def attach(model: schema.ModelT, record: Record) -> None:
    """Add the record to a model's metadata, replacing an earlier one."""
    generated = schema.schema()
    detach(model)
    buffer = generated.BufferT()
    text = json.dumps({"schema": _SCHEMA, **dataclasses.asdict(record)}, sort_keys=True)
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    model.buffers.append(buffer)
    entry = generated.MetadataT()
    entry.name = NAME
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def detach(model: schema.ModelT) -> None:
    """Remove the record, if there is one."""
    model.metadata = [m for m in model.metadata or [] if _name(m) != NAME]


def read(model: schema.ModelT) -> Record | None:
    """The record of a model, ``None`` if it has none or one of another schema."""
    for entry in model.metadata or []:
        if _name(entry) != NAME:
            continue
        data = model.buffers[entry.buffer].data
        try:
            plain = json.loads(np.asarray(data, np.uint8).tobytes())
            if plain.pop("schema") != _SCHEMA:
                return None
            record = Record(**plain)
            windows = {name: (int(low), int(high)) for name, (low, high) in record.windows.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return dataclasses.replace(record, windows=windows)
    return None


def _name(entry: Any) -> str:
    return entry.name.decode() if isinstance(entry.name, bytes) else str(entry.name)
