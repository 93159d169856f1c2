"""Files appended to a ``.tflite``: labels and vocabularies in a ZIP archive behind the flatbuffer.

TensorFlow Lite Metadata keeps a model's associated files there
(https://ai.google.dev/edge/litert/models/metadata): the file is a flatbuffer and a ZIP archive at
once, since one is read from its beginning and the other from its end. Offsets in an archive count
from the beginning of the file where Python's ``zipfile`` has appended it, and some readers refuse
what they cannot reach by them.
"""

from __future__ import annotations

import io
import struct
import zipfile

# Of an uncompressed member, which readers may map, the alignment is kept.
_ALIGNMENT = 16

_END = struct.Struct("<4s4H2LH")  # end of central directory
_END_MAGIC, _ENTRY_MAGIC = b"PK\5\6", b"PK\1\2"
_ENTRY = struct.Struct("<4s6H3L5H2L")  # of the central directory; names follow
_MAX32 = 0xFFFFFFFF


def appended_archive(data: bytes) -> tuple[int, bytes] | None:
    """Where the archive behind a flatbuffer begins, and its bytes to the end of the file.

    ``None`` if there is none, or none with a file in it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            begin = min((info.header_offset for info in archive.infolist()), default=0)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    return (begin, data[begin:]) if begin > 0 else None


def with_archive_of(data: bytes, source: bytes) -> bytes:
    """A flatbuffer with the archive that another one has behind it, if any.

    Members stay as they are byte for byte; offsets that count from the beginning of the file are
    moved with them.
    """
    found = appended_archive(source)
    if found is None:
        return data
    begin, archive = found
    data += bytes((begin - len(data)) % _ALIGNMENT)
    return data + _moved(archive, begin, len(data))


def _moved(archive: bytes, before: int, now: int) -> bytes:
    """An archive whose offsets fit if it begins at ``now`` instead of at ``before``."""
    moved = bytearray(archive)
    end = archive.rindex(_END_MAGIC)
    fields = list(_END.unpack_from(archive, end))
    count, size, directory = fields[4], fields[5], fields[6]
    if directory != before + end - size:
        return archive  # they count from the beginning of the archive, or are those of ZIP64
    fields[6] += now - before
    _END.pack_into(moved, end, *fields)
    position = end - size
    for _ in range(count):
        entry = list(_ENTRY.unpack_from(archive, position))
        if entry[0] != _ENTRY_MAGIC or entry[-1] == _MAX32:
            return archive
        entry[-1] += now - before
        _ENTRY.pack_into(moved, position, *entry)
        position += _ENTRY.size + sum(entry[10:13])
    return bytes(moved)
