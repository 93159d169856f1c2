"""Offsets that lead out of the file, and files that say little and unpack to much."""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import built_models
from tflite_eq.errors import ModelError
from tflite_eq.graph import schema
from tflite_eq.graph.layout import LayoutError, check_layout


def word(data: bytes, position: int) -> int:
    return int(struct.unpack_from("<I", data, position)[0])


def with_word(data: bytes, position: int, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<I", changed, position, value & 0xFFFFFFFF)
    return bytes(changed)


def test_whole_file_passes() -> None:
    check_layout(built_models.conv_net())


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(part: float) -> None:
    whole = built_models.conv_net()
    with pytest.raises(LayoutError):
        check_layout(whole[: int(len(whole) * part)])


def test_description_before_the_file_is_refused() -> None:
    """Python's reader would take a negative position for one from the end."""
    data = built_models.conv_net()
    root = word(data, 0)
    with pytest.raises(LayoutError):
        check_layout(with_word(data, root, root + 64))


def test_description_behind_the_file_is_refused() -> None:
    data = built_models.conv_net()
    with pytest.raises(LayoutError):
        check_layout(with_word(data, word(data, 0), -(1 << 30)))


def test_vector_longer_than_the_file_is_refused() -> None:
    data = built_models.conv_net()
    shape = np.array(built_models.IMAGE, np.int32).tobytes()
    length = data.index(shape) - 4
    assert word(data, length) == len(built_models.IMAGE)
    with pytest.raises(LayoutError):
        check_layout(with_word(data, length, 1 << 28))


def test_string_without_end_is_refused() -> None:
    data = built_models.conv_net()
    length = data.index(b"image_0") - 4
    with pytest.raises(LayoutError):
        check_layout(with_word(data, length, len(data)))


def shared(outer: int, inner: int) -> bytes:
    """A model of a few kilobytes whose subgraphs all are one, with tensors that all are one."""
    generated: Any = schema.schema()
    builder = flatbuffers.Builder(1024)
    tensor = generated.TensorT().Pack(builder)
    builder.StartVector(4, inner, 4)
    for _ in range(inner):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    generated.SubGraphStart(builder)
    generated.SubGraphAddTensors(builder, tensors)
    subgraph = generated.SubGraphEnd(builder)
    builder.StartVector(4, outer, 4)
    for _ in range(outer):
        builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    generated.ModelStart(builder)
    generated.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(generated.ModelEnd(builder), schema.FILE_IDENTIFIER)
    return bytes(builder.Output())


def test_tables_that_are_one_table_many_times_are_refused() -> None:
    check_layout(shared(1, 20))
    with pytest.raises(LayoutError, match=r"more than [\d,]+ tables"):
        check_layout(shared(1500, 1500))


def test_error_of_the_reader_names_file_and_remedy() -> None:
    data = built_models.conv_net()
    with pytest.raises(ModelError, match=r"x\.tflite: .* write or download the file again"):
        schema.parse(with_word(data, 0, 1 << 30), "x.tflite")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_passes_can_be_unpacked_or_is_refused(data: st.DataObject) -> None:
    """Whatever bytes are changed, the reader ends with a model or with its own error."""
    changed = bytearray(built_models.unusual_net())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(8, len(changed) - 1))
        changed[position] = data.draw(st.integers(0, 255))
    try:
        schema.parse(bytes(changed))
    except ModelError:
        return
