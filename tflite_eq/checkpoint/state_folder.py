"""Folders that take the state of a run: making them, and refusing what is not that run's."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import NoReturn

from tflite_eq.errors import CheckpointError, TfliteEqError
from tflite_eq.files import PathLike


def names_in(folder: PathLike) -> list[str]:
    """Names of what a folder holds, which is made if it is not there.

    Raises:
        CheckpointError: It is a file.
        TfliteEqError: It cannot be made or looked into.
    """
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        return os.listdir(folder)
    except FileExistsError as error:
        raise CheckpointError(f"{_shown(folder)}: it is a file; name a folder") from error
    except OSError as error:
        raise not_writable(folder, error) from error


def not_writable(folder: PathLike, error: OSError) -> TfliteEqError:
    """The error for a folder that the system does not let this process write to."""
    return TfliteEqError(
        f"{_shown(folder)}: cannot be written: {error.strerror or error}; choose a folder you may "
        "write to"
    )


def refuse_others(folder: PathLike, names: Sequence[str]) -> None:
    """Refuse a folder that holds files of another kind.

    Raises:
        CheckpointError: There are such files; names one of them.
    """
    if names:
        raise CheckpointError(
            f"{_shown(folder)}: it holds other files, such as '{min(names)}'; name an empty or new "
            "folder"
        )


def refuse_other_run(folder: PathLike, differing: Sequence[str]) -> NoReturn:
    """Raise the error for the state of another run, with what differs, one phrase each."""
    raise CheckpointError(
        f"{_shown(folder)} belongs to another run: {'; '.join(differing)}. Repeat that run's model "
        "and options to go on, or start afresh with a new folder"
    )


def _shown(folder: PathLike) -> str:
    return f"resume folder {os.fspath(folder)}"
