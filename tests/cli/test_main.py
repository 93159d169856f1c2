"""Whatever goes wrong is said in one line."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.commands import Workspace, one_line
from tests.models import keras_net
from tflite_eq.cli.main import main, parse, run
from tflite_eq.errors import TfliteEqError


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (TfliteEqError("no\nsuch model"), "no such model", 1),
        (MemoryError(), "out of memory; nothing was written. Less is needed by a smaller input", 1),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory", 1),
        (OSError(28, "No space left on device", "/tmp/x\ny"), "No space left on device", 1),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_errors_are_one_line(
    error: BaseException, expected: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: Any) -> int:
        raise error

    assert main(argparse.Namespace(run=run)) == code
    assert expected in one_line(capsys.readouterr().err)


def too_much(*arguments: object, **options: object) -> Any:
    """What NumPy raises for an array that is larger than any memory."""
    return np.empty((1 << 46,), np.float32)


@pytest.mark.parametrize(
    "where",
    [
        "tflite_eq.calibration.calibrate_once.run_lockstep",
        "tflite_eq.cli.quantize.load_float_model",
        "tflite_eq.data.arrays.np.asarray",
        "tflite_eq.graph.schema.check_layout",
        "tflite_eq.quantizer.build_report",
    ],
)
def test_out_of_memory_names_what_needs_less_and_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(where, too_much)
    message = workspace.refused(save_calibration=workspace.folder / "record.txt")
    assert "out of memory; nothing was written" in message
    assert "fewer samples (--num_samples 20)" in message


def test_options_that_no_command_knows_are_told_with_whom_to_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["tflite-eq", "validate", "--model", "m.tflite", "--bitz", "7"])
    assert end.value.code == 2
    assert "arguments: --bitz 7; see tflite-eq validate --help" in one_line(capsys.readouterr().err)


def interrupted(_: Any) -> int:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "error: interrupted"),
        ({"output": "q.tflite", "resume_dir": None}, "interrupted, the model was not written"),
        ({"output": "q.tflite", "resume_dir": "s"}, "repeat the command to go on where it was"),
    ],
)
def test_who_interrupts_is_told_what_that_means(
    options: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argparse.Namespace(run=interrupted, **options)) == 130
    assert one_line(capsys.readouterr().err).endswith(message)


def test_interruption_of_an_import_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tflite_eq.cli.main.parse", interrupted)
    monkeypatch.setattr(sys, "argv", ["tflite-eq", "check"])
    with pytest.raises(SystemExit) as end:
        run()
    assert end.value.code == 130
    assert one_line(capsys.readouterr().err) == "error: interrupted"


def test_terminated_process_leaves_no_temporary_files(workspace: Workspace, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    workspace.write(
        "slow.py",
        b"import numpy, pathlib, tempfile, time\n"
        b"def samples():\n"
        b"    with tempfile.TemporaryDirectory():\n"
        b"        for sample in numpy.load('data.npy'):\n"
        b"            yield [sample[None]]\n"
        b"            pathlib.Path('waiting').touch()\n"
        b"            time.sleep(100)\n",
    )
    files = ("--model", workspace.model, "--output", workspace.output)
    process = subprocess.Popen(
        [sys.executable, "-m", "tflite_eq", "quantize", *files, "--calibration", "slow:samples"],
        cwd=workspace.folder,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.getcwd()},
    )
    deadline = time.monotonic() + 60
    while not (workspace.folder / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(temporary.iterdir()) != []
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is full")
@pytest.mark.parametrize("command", [["--version"], ["inspect", "--model", "net.tflite"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_full_disk_behind_stdout_is_told(
    command: list[str], buffered: bool, tmp_path: Path
) -> None:
    (tmp_path / "net.tflite").write_bytes(keras_net())
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tflite_eq", *command],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.getcwd(),
                "PYTHONUNBUFFERED": "" if buffered else "1",
            },
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert "No space left on device" in one_line(done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_does_not_end_the_command(workspace: Workspace, closed: str) -> None:
    files = ("--model", workspace.model, "--output", workspace.output)
    options = ("--calibration", workspace.data, "--preset", "fast")
    command = [sys.executable, "-m", "tflite_eq", "quantize", *files, *options]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *map(str, command)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert workspace.output.exists()
