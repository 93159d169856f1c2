"""What a process says of its memory is its own, whatever started it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ASK = "from tflite_eq.progress import peak_memory_mib; print(peak_memory_mib())"
_LARGE = """
import subprocess, sys
held = bytearray(400 << 20)
held[:: 4096] = bytes(len(held[:: 4096]))
print(subprocess.check_output([sys.executable, "-c", sys.argv[1]], text=True))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell")
def test_memory_of_whoever_started_a_process_is_not_its_own() -> None:
    told = subprocess.check_output([sys.executable, "-c", _LARGE, _ASK], text=True)
    assert 0 < int(told) < 200
