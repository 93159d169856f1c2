"""The record inside a quantized ``.tflite`` that says how it was made and which codes it uses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.graph import schema
from tflite_eq.json_fields import known_fields, parse_json, typed, typed_list, typed_pair

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
        preprocessing: What files went through for calibration; ``None`` for samples that were taken
            as they are.
    """

    tool_version: str
    backend: str
    config: dict[str, Any]
    samples: int
    calibration_sha256: str
    data_sha256: str
    windows: dict[str, tuple[int, int]]
    lattice: list[str]
    preprocessing: Preprocessing | None = None

    def to_plain(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        plain = dataclasses.asdict(self)
        del plain["preprocessing"]
        if self.preprocessing is not None:
            plain["preprocessing"] = self.preprocessing.to_dict()
        return plain


def attach(model: schema.ModelT, record: Record) -> None:
    """Add the record to a model's metadata, replacing an earlier one."""
    generated = schema.schema()
    detach(model)
    buffer = generated.BufferT()
    text = json.dumps({"schema": _SCHEMA, **record.to_plain()}, sort_keys=True)
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
    """The record of a model, ``None`` if it has none that can be understood."""
    for entry in model.metadata or []:
        if _name(entry) != NAME:
            continue
        data = model.buffers[entry.buffer].data
        try:
            plain = parse_json(np.asarray(() if data is None else data, np.uint8).tobytes())
            if plain.pop("schema") != _SCHEMA:
                return None
            return _from_plain(plain)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
    return None


def _from_plain(plain: dict[str, Any]) -> Record:
    """The record with these fields.

    Raises:
        ValueError: A field is missing, unknown or of another type, or a window is none.
    """
    fields = known_fields(plain, Record)
    for name in ("tool_version", "backend", "calibration_sha256", "data_sha256"):
        fields[name] = typed(fields[name], str, name)
    windows = {}
    for name, pair in typed(fields["windows"], dict, "windows").items():
        low, high = typed_pair(pair, int, "window")
        if not -128 <= low < high <= 127:
            raise ValueError(f"the window [{low}, {high}] is none")
        windows[typed(name, str, "name")] = low, high
    return Record(
        **{
            **fields,
            "config": typed(fields["config"], dict, "config"),
            "samples": typed(fields["samples"], int, "samples"),
            "windows": windows,
            "lattice": typed_list(fields["lattice"], str, "lattice"),
            "preprocessing": Preprocessing.from_plain(fields["preprocessing"])
            if "preprocessing" in fields
            else None,
        }
    )


def _name(entry: Any) -> str:
    return entry.name.decode() if isinstance(entry.name, bytes) else str(entry.name)
