"""Running sub-commands in this process and judging how they end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tflite_eq.cli.main import main, parse


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """What the last line tells a script."""
        last = self.out.splitlines()[-1]
        assert last.startswith("RESULT "), last
        return dict(json.loads(last[len("RESULT ") :]))


class Workspace:
    """A folder with a float model and calibration data in it, and a way to run commands there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.output = folder / "out.tflite"
        self.model = self.write("model.tflite", models.conv_net())
        self.data = self.array("data.npy", np.concatenate([x for [x] in models.data("conv_net")]))

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def array(self, name: str, values: Any) -> Path:
        path = self.folder / name
        np.save(path, values)
        return path

    def run(self, *arguments: object) -> Finished:
        """Run ``tflite-eq`` with these arguments."""
        self._capsys.readouterr()
        try:
            code = main(parse(["tflite-eq", *map(str, arguments)]))
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        out, err = self._capsys.readouterr()
        return Finished(code, out, err)

    def quantize(self, *arguments: object, **flags: object) -> Finished:
        """Run ``tflite-eq quantize`` on the workspace's files; ``None`` leaves out a flag."""
        values = {"model": self.model, "calibration": self.data, "output": self.output, **flags}
        pairs = [(f"--{name}", value) for name, value in values.items() if value is not None]
        return self.run("quantize", *(part for pair in pairs for part in pair), *arguments)

    def files(self) -> set[Path]:
        return set(self.folder.rglob("*"))

    def refused(self, *arguments: object, **flags: object) -> str:
        """The one-line message with which ``quantize`` refuses; it must leave no file behind."""
        before = self.files()
        finished = self.quantize(*arguments, **flags)
        assert finished.code not in (0, None)
        assert self.files() == before
        assert not finished.out
        print(finished.err, end="")  # shown by pytest -rP
        return one_line(finished.err)


def one_line(err: str) -> str:
    """The message of a command that failed."""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0]
