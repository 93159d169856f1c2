"""Files: what is at a path, and output that is either the old content or all of the new."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Union

from tflite_eq.errors import TfliteEqError

PathLike = Union[str, "os.PathLike[str]"]


def exists(path: PathLike) -> bool:
    """Whether something is at a path.

    ``pathlib``'s own answer is an exception where there is no telling, and ``os.path``'s is no.

    Raises:
        TfliteEqError: There is no telling: a folder above may not be entered, a name is too long.
    """
    return _mode(path) is not None


def is_folder(path: PathLike) -> bool:
    """Whether a folder is at a path; raises as ``exists``."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def is_file(path: PathLike) -> bool:
    """Whether an ordinary file is at a path; raises as ``exists``."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def _mode(path: PathLike) -> int | None:
    """Type and permissions of what is at a path; ``None`` if nothing is."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with a NUL in it
        return None
    except OSError as error:
        raise TfliteEqError(
            f"{os.fspath(path)}: cannot be looked at: {error.strerror or error}; choose a path you "
            "have access to"
        ) from error


def write_atomically(path: PathLike, data: bytes) -> None:
    """Write ``data`` to ``path`` so that no reader ever sees a part of it.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take
    the name ``path`` in one step, which is flushed as well: what is written next cannot outlive it
    in a power failure. On any failure ``path`` keeps what it held before and the
    temporary file is gone. An existing file keeps its permissions; a symbolic link stays a
    link and its target is replaced.

    Args:
        path: Where the file goes; the folder must exist.
        data: The whole content.

    Raises:
        TfliteEqError: The folder is missing or not writable, ``path`` is a folder, or the
            disk is full.
    """
    write_all_atomically({path: data})


def write_all_atomically(files: Mapping[PathLike, bytes]) -> None:
    """Write several files, each as ``write_atomically`` does, and rename them at the very end.

    Until all bytes are on the disk nothing is replaced, so a full disk leaves all old files.

    Args:
        files: Content by path; the folders must exist.

    Raises:
        TfliteEqError: As ``write_atomically``, for the file that failed.
    """
    staged: list[tuple[str, Path, str]] = []
    shown = ""
    try:
        for path, data in files.items():
            shown = os.fspath(path)
            target = Path(os.path.realpath(shown))
            _check_target(shown, target)
            descriptor, temporary = tempfile.mkstemp(
                prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent
            )
            staged.append((shown, target, temporary))
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, _permissions(target))
        for shown, target, temporary in staged:  # noqa: B007 - for the message
            os.replace(temporary, target)
            _sync_folder(target.parent)
    except OSError as error:
        raise TfliteEqError(
            f"cannot write {shown}: {error.strerror or error}; "
            "choose a folder that is writable and has room"
        ) from error
    finally:
        for _, _, temporary in staged:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: PathLike) -> None:
    """Refuse an output path that ``write_atomically`` could not write, before long work starts.

    Raises:
        TfliteEqError: As ``write_atomically``.
    """
    shown = os.fspath(path)
    target = Path(os.path.realpath(shown))
    _check_target(shown, target)
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise TfliteEqError(
            f"cannot write {shown}: {error.strerror}; choose a folder you may write to"
        ) from error


def _check_target(shown: str, target: Path) -> None:
    """Refuse what cannot work, with a better message than the system's."""
    if not shown:
        raise TfliteEqError("cannot write the output: its path is empty; name a file")
    if is_folder(target):
        raise TfliteEqError(f"cannot write {shown}: it is a folder; name a file inside it")
    if not exists(target.parent):
        raise TfliteEqError(
            f"cannot write {shown}: the folder {target.parent} does not exist; create it first"
        )
    if not is_folder(target.parent):
        raise TfliteEqError(f"cannot write {shown}: {target.parent} is a file, not a folder")


def _sync_folder(folder: Path) -> None:
    """Have the folder's entries reach the disk, where the file system knows how to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _permissions(target: Path) -> int:
    """Mode of the file to be replaced, or what ``open`` would give a new one."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
