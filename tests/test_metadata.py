from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from tests import models
from tflite_eq import metadata
from tflite_eq.graph import schema
from tflite_eq.metadata import Record

RECORD = Record(
    tool_version="1.2",
    backend="tensorflow 2.19.1",
    config={"bits": "7"},
    samples=50,
    calibration_sha256="ab",
    data_sha256="cd",
    windows={"conv;ä": (-64, 63), "relu": (0, 127)},
    lattice=["conv;ä"],
)


def read_back(model: Any) -> Record | None:
    return metadata.read(schema.parse(schema.serialize(model)))


def test_record_survives_the_flatbuffer() -> None:
    model = schema.parse(models.conv_net())
    assert metadata.read(model) is None
    metadata.attach(model, RECORD)
    assert read_back(model) == RECORD


def test_second_record_replaces_the_first() -> None:
    model = schema.parse(models.conv_net())
    metadata.attach(model, RECORD)
    metadata.attach(model, dataclasses.replace(RECORD, samples=3))
    found = read_back(model)
    assert found is not None
    assert found.samples == 3
    assert [m.name for m in model.metadata].count("tflite_eq") == 1


def test_other_entries_stay() -> None:
    model = schema.parse(models.conv_net())
    before = [m.name for m in model.metadata]
    metadata.attach(model, RECORD)
    metadata.detach(model)
    assert [m.name for m in model.metadata] == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{}",
        b'{"schema": 1}',
        b'{"schema": 1, "windows": 3}',
        json.dumps({"schema": 99, **dataclasses.asdict(RECORD)}).encode(),
        json.dumps({"schema": 1, **dataclasses.asdict(RECORD), "new": 1}).encode(),
        json.dumps({"schema": 1, **dataclasses.asdict(RECORD), "windows": {"a": [1]}}).encode(),
        json.dumps({"schema": 1, **dataclasses.asdict(RECORD), "windows": [1]}).encode(),
    ],
)
def test_records_that_cannot_be_understood_count_as_none(content: bytes) -> None:
    model = schema.parse(models.conv_net())
    metadata.attach(model, RECORD)
    entry = next(m for m in model.metadata if m.name == "tflite_eq")
    model.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)
    assert read_back(model) is None


@pytest.mark.parametrize(
    "change",
    [
        {"tool_version": 3},
        {"samples": "many"},
        {"config": [1]},
        {"lattice": "conv"},
        {"lattice": [3]},
        {"windows": {"a": [0.5, 3]}},
        {"windows": {"a": [-500, 500]}},
        {"windows": {"a": [63, -64]}},
        {"backend": "\ud800"},
    ],
)
def test_fields_of_other_types_count_as_no_record(change: dict[str, Any]) -> None:
    model = schema.parse(models.conv_net())
    metadata.attach(model, RECORD)
    entry = next(m for m in model.metadata if m.name == "tflite_eq")
    content = json.dumps({"schema": 1, **dataclasses.asdict(RECORD), **change}).encode()
    model.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)
    assert read_back(model) is None


def test_deeply_nested_record_counts_as_none() -> None:
    model = schema.parse(models.conv_net())
    metadata.attach(model, RECORD)
    entry = next(m for m in model.metadata if m.name == "tflite_eq")
    model.buffers[entry.buffer].data = np.frombuffer(b"[" * 100_000, np.uint8)
    assert read_back(model) is None
