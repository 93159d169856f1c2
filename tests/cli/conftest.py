"""Fixtures for tests of the commands."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Workspace


@pytest.fixture
def workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A folder with a model and data; temporary files must be gone when the test ends."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = tmp_path / "workspace"
    folder.mkdir()
    yield Workspace(folder, capsys)
    left = [path.name for path in temporary.iterdir()]
    autograph = ("__autograph_generated", "__pycache__")  # stay as long as the process
    assert not [name for name in left if not name.startswith(autograph)]
