"""The mirrors of TFLite's headers against TFLite's own: delegate/abi/tflite_abi_check.cc compiles,
and would not if the mirror were wrong.

``TFLITE_HEADERS`` names an include path with ``tensorflow/lite``; without it the headers come from
Debian's package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DELEGATE = REPOSITORY / "delegate"
MIRRORS = ("tflite_abi.h", "benchmark/tflite_c_types.h")
SKIPPED = 77  # fetch_headers.sh


@pytest.fixture(scope="module")
def compiler() -> str:
    for name in ("clang++-19", "clang++", "g++", "c++"):
        if shutil.which(name):
            return name
    pytest.skip("needs a C++ compiler")


@pytest.fixture(scope="module")
def headers() -> Path:
    """The include path given, or what Debian has, kept in build/ for the next time."""
    given = os.environ.get("TFLITE_HEADERS")
    if given:
        header = Path(given, "tensorflow/lite/c/common.h")
        assert header.exists(), f"TFLITE_HEADERS={given}: there is no tensorflow/lite/c/common.h"
        return Path(given)
    command = [DELEGATE / "abi/fetch_headers.sh", REPOSITORY / "build/tflite_headers"]
    fetched = subprocess.run(command, capture_output=True, text=True)
    if fetched.returncode == SKIPPED:
        pytest.skip("TFLite's headers cannot be had: " + fetched.stderr.strip().splitlines()[-1])
    assert fetched.returncode == 0, fetched.stderr
    return Path(fetched.stdout.strip())


def compile_check(
    compiler: str, headers: Path, mirror_root: Path
) -> subprocess.CompletedProcess[str]:
    flags = ["-std=c++17", "-fsyntax-only", "-Wno-invalid-offsetof"]
    includes = [f"-I{mirror_root}", f"-I{headers}"]
    command = [compiler, *flags, *includes, str(DELEGATE / "abi/tflite_abi_check.cc")]
    return subprocess.run(command, capture_output=True, text=True)


def test_mirror_agrees_with_the_headers(compiler: str, headers: Path) -> None:
    result = compile_check(compiler, headers, REPOSITORY)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("kTfLiteInt8 = 9", "kTfLiteInt8 = 10", "value of kTfLiteInt8"),
        (
            "const char* custom_name;\n  int version;",
            "int version;\n  const char* custom_name;",
            "TfLiteRegistration::version",
        ),
        (
            "int stride_width;\n  int stride_height;\n  int32_t activation;\n  int dilation",
            "int stride_height;\n  int stride_width;\n  int32_t activation;\n  int dilation",
            "TfLiteConvParams::stride_width",
        ),
        ("void* reserve[4];\n} TfLiteDelegate;", "} TfLiteDelegate;", "reserve"),
        (
            "  void* data;\n  void (*ReportTelemetryEvent)",
            "  void (*ReportTelemetryEvent)",
            "TfLiteTelemetryProfilerStruct",
        ),
    ],
)
def test_a_wrong_mirror_does_not_compile(
    compiler: str, headers: Path, tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    found = 0
    for name in MIRRORS:
        text = (DELEGATE / name).read_text()
        found += text.count(right)
        copy = tmp_path / "delegate" / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text.replace(right, wrong))
    assert found == 1
    result = compile_check(compiler, headers, tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
