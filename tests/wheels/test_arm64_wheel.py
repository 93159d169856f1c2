"""A new user on 64-bit ARM: a Raspberry Pi with a 64-bit system, emulated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.wheels.users import User, prepared, quantize_validate_benchmark
from tools.arm64 import emulation as arm64
from tools.arm64.emulation import CORTEX_A72, Emulation, EmulationError


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    """An environment whose interpreter is a script that runs the emulated one.

    Python takes the name it is called by for itself, so that processes that it starts are emulated,
    too, and finds its packages beside it.
    """
    try:
        emulation = Emulation.find()
    except EmulationError as error:
        if os.environ.get(arm64.VARIABLE):
            raise
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("raspberry")
    python = folder / "user/bin/python"
    python.parent.mkdir(parents=True)
    root = emulation.folder / "root"
    emulator = emulation.folder / "emulator/usr/bin/qemu-aarch64"
    interpreter = root / "usr/bin/python3.11"
    python.write_text(
        f'#!/bin/sh\nexec {emulator} -cpu {CORTEX_A72.model} -L {root} -0 "$0" {interpreter} "$@"\n'
    )
    python.chmod(0o755)
    (folder / "user/pyvenv.cfg").write_text(f"home = {interpreter.parent}\nversion = 3.11\n")
    site = folder / "user/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (site / "pip").symlink_to(Path(__import__("pip").__file__).parent)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    return prepared(User(python, folder, environment), "aarch64")


def test_three_commands_on_a_raspberry_pi(user: User) -> None:
    machine = "import platform; print(platform.machine())"
    assert user.run("python", "-c", machine) == "aarch64\n"
    quantize_validate_benchmark(user, num_runs=2)
