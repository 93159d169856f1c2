"""Which files of a folder, or of a text list, are samples."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tflite_eq.data.audio import AUDIO_SUFFIXES, is_audio
from tflite_eq.data.images import IMAGE_SUFFIXES, is_image
from tflite_eq.errors import DatasetError
from tflite_eq.files import is_file
from tflite_eq.progress import note
from tflite_eq.text import counted

# Images and recordings that nothing here decodes; telephones store the first.
_UNREAD_SUFFIXES = frozenset(
    """
    .heic .heif .avif .jxl .jp2 .tga .psd .svg .dng .cr2 .cr3 .nef .arw
    .mp3 .m4a .aac .opus .mp4 .mov .avi .mkv .webm
    """.split()
)

IMAGES, RECORDINGS, ARRAYS = "images", "recordings", "arrays"


def is_array_file(path: Path) -> bool:
    """Whether the name says that the file is one of NumPy's."""
    return path.suffix.lower() in (".npy", ".npz") and not path.name.startswith(".")


_KINDS: Mapping[str, Callable[[Path], bool]] = {
    IMAGES: is_image,
    RECORDINGS: is_audio,
    ARRAYS: is_array_file,
}


def find_samples(folder: Path) -> dict[str, list[Path]]:
    """All images, recordings and NumPy files in ``folder`` and below, by kind.

    In sorted order of their relative paths. Links to folders are followed, once each; hidden files
    and folders are not looked at. Of files in formats that are not read it is said that they are
    left out.

    Raises:
        DatasetError: A folder cannot be listed, or there is no such file.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(
            f"cannot list {error.filename}: {error.strerror}; change its permissions"
        ) from error

    found: dict[str, list[Path]] = {}
    unread: collections.Counter[str] = collections.Counter()
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in names):
            kind = kind_of(path)
            if kind is not None:
                found.setdefault(kind, []).append(path)
            elif path.suffix.lower() in _UNREAD_SUFFIXES and not path.name.startswith("."):
                unread[path.suffix.lower()] += 1
    if found and unread:
        note(f"note: {folder}: left out {_unread_text(unread)}")
    if not found:
        there = f" (there are {_unread_text(unread)})" if unread else ""
        raise DatasetError(
            f"{folder}: no images in this folder or below, nor recordings or .npy files{there}; "
            f"images end in {', '.join(IMAGE_SUFFIXES)}, recordings in "
            f"{', '.join(AUDIO_SUFFIXES)}; for arrays elsewhere name the .npy or .npz file itself"
        )
    return {
        kind: sorted(paths, key=lambda path: path.relative_to(folder).parts)
        for kind, paths in found.items()
    }


def _unread_text(unread: collections.Counter[str]) -> str:
    which = ", ".join(
        counted(number, f"{suffix} file") for suffix, number in sorted(unread.items())
    )
    return f"{which}, of formats that are not read here: convert them to JPEG, PNG or WAV"


def read_list(path: Path) -> dict[str, list[Path]]:
    """Images, recordings or NumPy files named by a text file, relative to its folder.

    Raises:
        DatasetError: The file is not text, names something else or of several kinds, or what does
            not exist, or is empty.
    """
    listed: dict[str, list[Path]] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        file = path.parent / entry
        kind = kind_of(file)
        if kind is None:
            raise DatasetError(
                f"{path}, line {number}: {entry!r} is not the name of an image, a recording or a "
                f"NumPy file; write one path per line (images end in {', '.join(IMAGE_SUFFIXES)})"
            )
        if not is_file(file):
            singular = {IMAGES: "image", RECORDINGS: "recording", ARRAYS: "array"}[kind]
            raise DatasetError(
                f"{path}, line {number}: no such {singular} {file}; paths are relative to the "
                "folder of the list"
            )
        listed.setdefault(kind, []).append(file)
    if not listed:
        raise DatasetError(f"{path}: the list names no images; write one image path per line")
    if len(listed) > 1:
        raise DatasetError(
            f"{path}: the list names {' and '.join(sorted(listed))}; keep to one kind in a list"
        )
    return listed


def kind_of(path: Path) -> str | None:
    """What a file's name says it is; ``None`` for all else."""
    return next((kind for kind, fits in _KINDS.items() if fits(path)), None)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise DatasetError(
            f"{path}: is neither a folder of images, a .npy or .npz file, a recording, nor a text "
            "file with one image per line; for a single image name its folder or put it in a list"
        )
    return text
