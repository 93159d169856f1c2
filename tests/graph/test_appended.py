from __future__ import annotations

import io
import zipfile

import pytest

from tests import models
from tflite_eq import quantize
from tflite_eq.graph.appended import appended_archive, with_archive_of

LABELS = "cat\ndog\nZähre\n".encode()
MODEL = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 5


def appended(model: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """As TensorFlow Lite Support appends files."""
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a", compression) as archive:
        archive.writestr("labels.txt", LABELS)
        archive.writestr("sub/vocabulary.txt", b"x" * 300)
        archive.comment = b"a comment"
    return stream.getvalue()


def relative(model: bytes) -> bytes:
    """An archive made by itself, whose offsets count from its own beginning."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("labels.txt", LABELS)
    return model + stream.getvalue()


def central_directory(data: bytes) -> int:
    """Where the archive says that its directory is; strict readers go by it."""
    end = data.rindex(b"PK\5\6")
    return int.from_bytes(data[end + 16 : end + 20], "little")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 7, 5000])
def test_files_follow_a_model_of_any_size(compression: int, size: int) -> None:
    source = appended(MODEL, compression)
    moved = with_archive_of(bytes(size), source)
    assert moved[:size] == bytes(size)
    with zipfile.ZipFile(io.BytesIO(moved)) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == LABELS
        assert archive.comment == b"a comment"
        assert [info.header_offset % 16 for info in archive.infolist()] == [
            info.header_offset % 16 for info in zipfile.ZipFile(io.BytesIO(source)).infolist()
        ]
    directory = central_directory(moved)
    assert moved[directory : directory + 4] == b"PK\1\2"
    before, after = source.index(b"PK\3\4"), moved.index(b"PK\3\4")
    length = source.index(b"PK\1\2") - before
    assert moved[after : after + length] == source[before : before + length]


def test_archives_that_count_from_their_own_beginning_stay_as_they_are() -> None:
    source = relative(MODEL)
    moved = with_archive_of(b"short", source)
    assert moved.endswith(source[len(MODEL) :])
    with zipfile.ZipFile(io.BytesIO(moved)) as archive:
        assert archive.read("labels.txt") == LABELS


@pytest.mark.parametrize("data", [MODEL, b"", MODEL + b"PK\5\6", relative(b"")])
def test_what_is_no_appended_archive_is_left_alone(data: bytes) -> None:
    assert appended_archive(data) is None
    assert with_archive_of(b"model", data) == b"model"


def test_quantized_models_keep_their_label_files() -> None:
    result = quantize(appended(models.build("conv_net")), models.data("conv_net"))
    with zipfile.ZipFile(io.BytesIO(result.model)) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == LABELS
    begin = result.model.index(b"PK\3\4")
    plain = quantize(models.build("conv_net"), models.data("conv_net")).model
    assert begin - len(plain) < 128  # padding, and the hash of another file in the record
