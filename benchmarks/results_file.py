"""The JSON file that collects a benchmark's results: a list of objects, one per measurement."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tflite_eq.errors import TfliteEqError
from tflite_eq.files import write_atomically


def load(path: pathlib.Path, must_exist: bool = False) -> list[dict[str, Any]]:
    """What was measured so far; nothing if there is no file.

    Raises:
        TfliteEqError: The file is not one of results, cannot be read, or is absent though it
            must exist.
    """
    if not path.exists() and not must_exist:
        return []
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TfliteEqError(
            f"{path}: cannot read the results: {error.strerror}; name the file that a run wrote "
            "with --output"
        ) from error
    except ValueError as error:
        raise TfliteEqError(f"{path}: not a file of results ({error}); {_REMEDY}") from error
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise TfliteEqError(f"{path}: not a file of results (not a list of objects); {_REMEDY}")
    return results


_REMEDY = "name one that a run wrote, or a new one"


def save(path: pathlib.Path, results: list[dict[str, Any]]) -> None:
    """Replace the file in one step.

    Raises:
        TfliteEqError: It cannot be written.
    """
    write_atomically(path, json.dumps(results, indent=1).encode())
