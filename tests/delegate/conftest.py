"""Everything here needs the delegate's library; what needs the binding says so itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tflite_eq.delegate import find
from tflite_eq.errors import BackendError


@pytest.fixture(scope="session")
def library() -> Path:
    """Path of the delegate's library."""
    try:
        return find()
    except BackendError as error:
        pytest.skip(f"delegate not built: {error}")


@pytest.fixture(scope="session", autouse=True)
def _built(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("library")
