"""Metadata of integer inputs and outputs, built here by the slots of metadata_schema.fbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

from tests import models
from tflite_eq import Config, QuantizationResult, quantize
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

NAME = "TFLITE_METADATA"
MEAN = STD = 127.5
PIXELS = (1, 8, 8, 3)


def table(builder: Any, slots: int, **references: int) -> int:
    """A table of references, given as ``s3=offset``."""
    builder.StartObject(slots)
    for slot, offset in references.items():
        builder.PrependUOffsetTRelativeSlot(int(slot[1:]), offset, 0)
    return int(builder.EndObject())


def floats(builder: Any, values: Sequence[float]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, np.float32)))


def tables(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def metadata(std: Sequence[float] = (STD,)) -> bytes:
    """One image input and one vector of scores."""
    builder = flatbuffers.Builder(0)

    def stats(low: float, high: float) -> int:
        ends = floats(builder, [high]), floats(builder, [low])
        return table(builder, 2, s0=ends[0], s1=ends[1])

    normalization = table(builder, 2, s0=floats(builder, [MEAN]), s1=floats(builder, std))
    builder.StartObject(2)
    builder.PrependUint8Slot(0, 1, 0)
    builder.PrependUOffsetTRelativeSlot(1, normalization, 0)
    units = tables(builder, [builder.EndObject()])
    image = table(builder, 7, s4=units, s5=stats(-1.0, 1.0))
    scores = table(builder, 7, s5=stats(0.0, 1.0))
    inputs, outputs = tables(builder, [image]), tables(builder, [scores])
    network = table(builder, 4, s2=inputs, s3=outputs)
    builder.Finish(table(builder, 8, s3=tables(builder, [network])), b"M001")
    return bytes(builder.Output())


def with_metadata(content: bytes) -> bytes:
    """A network with these metadata; its scores are probabilities."""

    def net(x: Any) -> Any:
        import tensorflow as tf

        return tf.nn.softmax(models.dense(tf.reduce_mean(models.conv(x, 4), [1, 2]), 5))

    model = schema.parse(models.convert(net, PIXELS), "net")
    generated = schema.schema()
    buffer, entry = generated.BufferT(), generated.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return schema.serialize(model)


def quantized(io: str, reach: float = 1.0, content: bytes | None = None) -> QuantizationResult:
    """Quantized on samples between ``-reach`` and ``reach``."""
    rng = np.random.default_rng(0)
    samples = [rng.uniform(-reach, reach, PIXELS).astype(np.float32) for _ in range(4)]
    for sample in samples:
        sample.flat[:2] = -reach, reach
    model = with_metadata(metadata() if content is None else content)
    return quantize(model, samples, Config(input_type=io, output_type=io))


def stored(model: bytes) -> bytes:
    found = schema.parse(model, "net")
    entry = next(e for e in found.metadata if e.name in (NAME, NAME.encode()))
    return bytes(np.asarray(found.buffers[entry.buffer].data, np.uint8).tobytes())


def statistics(content: bytes) -> list[tuple[float, float]]:
    """Smallest and largest value of the input and of the output, found by position: the builder
    writes back to front, and what is changed is changed in place."""
    original = np.frombuffer(metadata(), "<f4", len(metadata()) // 4)
    now = np.frombuffer(content, "<f4", len(content) // 4)
    lows = np.flatnonzero(original == -1.0)
    highs = np.flatnonzero(original == 1.0)
    assert len(lows) == 1
    assert len(highs) == 2  # of the output in front of those of the input
    return [(float(now[lows[0]]), float(now[highs[1]])), (0.0, float(now[highs[0]]))]


def test_float_ends_keep_their_metadata() -> None:
    assert stored(quantized("float32").model) == metadata()


@pytest.mark.parametrize(("io", "top", "middle"), [("uint8", 255, 128), ("int8", 127, 0)])
def test_statistics_become_those_of_the_codes(io: str, top: int, middle: int) -> None:
    result = quantized(io)
    (low, high), (_, most) = statistics(stored(result.model))
    assert most == top
    assert low + high == pytest.approx(2 * middle, abs=2)
    assert high - low == pytest.approx(255, abs=6)
    graph = Graph.from_bytes(result.model)
    scale = float(graph.subgraph.tensors[graph.inputs[0]].quantization.scale[0])
    assert (high - middle) * scale == pytest.approx(1.0, abs=scale)


def test_pixels_that_are_no_codes_are_warned_of() -> None:
    assert not any("raw pixels" in warning for warning in quantized("uint8").report.warnings)
    assert not any("raw pixels" in warning for warning in quantized("int8", 0.5).report.warnings)
    [warning] = [w for w in quantized("uint8", 0.5).report.warnings if "raw pixels" in w]
    assert "mean [127.5] and std [127.5]" in warning


def test_damaged_metadata_stay_as_they_are() -> None:
    for content in (b"", b"\xff" * 40, metadata()[:60]):
        result = quantized("uint8", content=content)
        assert stored(result.model) == content
        assert any("cannot be read" in warning for warning in result.report.warnings)
    assert quantized("uint8", content=metadata(std=(0.0,))).model
