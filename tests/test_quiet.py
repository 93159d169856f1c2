"""What ``quiet`` keeps off the terminal, and what it must never touch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests import models
from tflite_eq import quantize
from tflite_eq.quiet import quiet, without_chatter

CHATTER = (
    b"W0000 00:00:1796006565.411729    2308 tf_tfl_flatbuffer_helpers.cc:365] Ignored format.\n",
    b"2026-11-30 02:43:01.123456: I tensorflow/core/util/port.cc:153] oneDNN is on\n",
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n",
    b"fully_quantize: 0, inference_type: 6, input_inference_type: FLOAT32\n",
    b"Saved artifact at '/tmp/x'. The following endpoints are available:\n\n* Endpoint 'serve'\n"
    b"  args_0 (POSITIONAL_ONLY): TensorSpec(shape=(None, 8))\nOutput Type:\n  TensorSpec()\n"
    b"Captures:\n  140131: TensorSpec(shape=())\n  140132: TensorSpec(shape=())\n",
)


def test_chatter_vanishes_and_all_else_comes_out(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        for line in CHATTER:
            os.write(2, line)
        os.write(1, b"a print of the user's\n")
        os.write(2, b"Traceback (most recent call last): ...\n")
        warnings.warn("meant for TensorFlow's authors", stacklevel=1)
        assert capfd.readouterr() == ("", "")
    out, err = capfd.readouterr()
    assert out == "a print of the user's\n"
    assert err == "Traceback (most recent call last): ...\n"


@pytest.mark.parametrize("line", CHATTER)
def test_lines_around_chatter_stay(line: bytes) -> None:
    assert without_chatter(b"before\n" + line + b"behind\n") == b"before\nbehind\n"


def test_what_an_error_message_holds_is_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad operator"), quiet() as said:  # noqa: PT012
        os.write(2, b"loc(unknown): bad operator\n")
        raise ValueError(said())
    assert capfd.readouterr().err == ""


def test_what_was_said_before_an_error_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no reason"), quiet():  # noqa: PT012
        os.write(2, b"loc(unknown): bad operator\n")
        raise ValueError("no reason")
    assert capfd.readouterr().err == "loc(unknown): bad operator\n"


def test_descriptors_of_a_process_with_other_threads_are_left_alone() -> None:
    before = [os.fstat(descriptor).st_ino for descriptor in (1, 2)]
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with quiet() as said:
            assert [os.fstat(descriptor).st_ino for descriptor in (1, 2)] == before
            assert said() == ""
    finally:
        done.set()
        thread.join()
    with quiet():
        assert [os.fstat(descriptor).st_ino for descriptor in (1, 2)] != before
    assert [os.fstat(descriptor).st_ino for descriptor in (1, 2)] == before


def test_another_threads_lines_are_seen_at_once_all_through_quantizing(tmp_path: Path) -> None:
    """Not even late: the thread looks at where its line went."""
    program = tmp_path / "program.py"
    model, data = tmp_path / "model.tflite", tmp_path / "seen"
    model.write_bytes(models.conv_net())
    program.write_text(
        "import os, pathlib, sys, threading, numpy as np\n"
        "import tflite_eq\n"
        "own, misses, stop = os.fstat(1).st_ino, [], threading.Event()\n"
        "def watch():\n"
        "    while not stop.is_set():\n"
        "        misses.append(os.fstat(1).st_ino != own)\n"
        "thread = threading.Thread(target=watch)\n"
        "thread.start()\n"
        "try:\n"
        f"    model = pathlib.Path({str(model)!r}).read_bytes()\n"
        "    rng = np.random.default_rng(0)\n"
        "    data = [[rng.standard_normal((1, 12, 12, 3)).astype(np.float32)] for _ in range(3)]\n"
        "    tflite_eq.quantize(model, data)\n"
        "finally:\n"
        "    stop.set(); thread.join()\n"
        f"pathlib.Path({str(data)!r}).write_text(f'{{any(misses)}} {{len(misses) > 100}}')\n"
    )
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, str(program)], env=environment, check=True, timeout=300)
    assert data.read_text() == "False True"


def test_prints_of_the_users_function_are_seen(capfd: pytest.CaptureFixture[str]) -> None:
    def chatty() -> Any:
        for number, sample in enumerate(models.data("conv_net", count=3)):
            print(f"sample {number}")
            os.write(2, f"native {number}\n".encode())
            yield sample

    quantize(models.conv_net(), chatty)
    out, err = capfd.readouterr()
    assert out == "sample 0\nsample 1\nsample 2\n"
    assert err == "native 0\nnative 1\nnative 2\n"


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_descriptor_is_no_error(closed: int) -> None:
    program = (
        f"import os, sys; os.close({closed}); sys.stdout = sys.stderr = None\n"
        "from tflite_eq.quiet import quiet\n"
        "with quiet() as said: said()\n"
    )
    root = Path(__file__).resolve().parent.parent
    finished = subprocess.run([sys.executable, "-c", program], cwd=root, check=False, timeout=60)
    assert finished.returncode == 0
