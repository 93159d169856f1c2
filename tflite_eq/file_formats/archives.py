"""What is inside a zip archive."""

from __future__ import annotations

import io
import zipfile

# What every .keras file has.
_KERAS_MEMBERS = frozenset({"config.json", "metadata.json"})


def member_names(data: bytes) -> list[str] | None:
    """Names of the members; ``None`` if the archive is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None


def is_keras(names: list[str]) -> bool:
    """Whether an archive with these members is a Keras model."""
    return set(names) >= _KERAS_MEMBERS
