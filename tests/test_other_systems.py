"""Quantizing on Windows and macOS, as far as Linux can play them.

``other_system`` takes away what a system lacks, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import models

_ROOT = Path(__file__).resolve().parents[1]

_LINUX_ONLY = ("sched_getaffinity", "O_DIRECT", "posix_fadvise", "memfd_create", "posix_fallocate")
SYSTEMS: dict[str, dict[str, Any]] = {
    "windows": {
        "platform": "win32",
        "modules": ["fcntl", "resource", "pwd", "grp", "termios", "posix", "pty", "syslog"],
        "os": [
            *_LINUX_ONLY,
            *("fork", "forkpty", "getuid", "geteuid", "getgid", "killpg", "setsid", "getpgid"),
            *("wait4", "WNOHANG", "statvfs", "sysconf", "uname", "chown", "mkfifo", "sync", "nice"),
            *("getloadavg", "pread", "pwrite", "register_at_fork", "lockf", "fchmod", "fdatasync"),
        ],
        "signal": ["SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGCHLD", "setitimer", "pause"],
    },
    "macos": {"platform": "darwin", "modules": ["msvcrt"], "os": [*_LINUX_ONLY], "signal": []},
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_quantizing_needs_nothing_of_linux(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT: tflite-eq[litert]")
    (tmp_path / "float.tflite").write_bytes(models.conv_net())
    finished = played(SYSTEMS[name], tmp_path)
    assert finished.returncode == 0, finished.stderr
    seen = json.loads(finished.stdout.rsplit("SEEN ", 1)[1])
    assert seen["code"] == 0
    assert (tmp_path / "cli.tflite").is_file()
    assert (seen["memory"] is None) == (name == "windows")
    assert seen["locked"] == [True, False]
    assert "runs on Linux and Android only" in seen["delegate"]
    assert "apt-get" not in seen["delegate"]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert ("peak memory" in page) == (name == "macos")


def test_what_is_played_away_is_gone(tmp_path: Path) -> None:
    (tmp_path / "float.tflite").write_bytes(models.conv_net())
    finished = played({**SYSTEMS["windows"], "modules": ["hashlib"]}, tmp_path)
    assert finished.returncode == 1
    assert "No module named 'hashlib'" in finished.stderr


def test_names_that_the_terminal_has_no_characters_for(tmp_path: Path) -> None:
    """Windows consoles, for one, have the 256 characters of a code page."""
    path = tmp_path / "\u6a21\u578b.tflite"
    path.write_bytes(models.conv_net())
    finished = subprocess.run(
        [sys.executable, "-m", "tflite_eq", "inspect", str(path)],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        encoding="cp1252",
        check=False,
        cwd=_ROOT,
    )
    assert finished.returncode == 0, finished.stderr
    assert r"\u6a21\u578b" in finished.stdout


def played(system: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Quantize what is in a folder as on a system."""
    return subprocess.run(
        [sys.executable, "-m", "tests.other_system", json.dumps(system), str(folder)],
        env={**os.environ, "TFLITE_EQ_DELEGATE": ""},
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT,
    )
