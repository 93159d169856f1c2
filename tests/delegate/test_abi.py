"""tflite_abi.h against TFLite's own headers: abi/tflite_abi_check.cc compiles, and would not if
the mirror were wrong."""

import pathlib
import shutil
import subprocess

import pytest

DELEGATE = pathlib.Path(__file__).resolve().parents[1]
SKIPPED = 77


@pytest.fixture(scope="module")
def compiler():
    for name in ("clang++-19", "clang++", "g++", "c++"):
        if shutil.which(name):
            return name
    pytest.skip("needs a C++ compiler")


@pytest.fixture(scope="module")
def headers(request):
    """An include path with tensorflow/lite: the one given, or what Debian has, kept in build/ for
    the next time."""
    given = request.config.getoption("--tflite_headers")
    if given:
        assert (pathlib.Path(given) / "tensorflow/lite/c/common.h").exists(), (
            f"no tensorflow/lite/c/common.h in {given}"
        )
        return given
    fetched = subprocess.run(
        [DELEGATE / "abi/fetch_headers.sh", DELEGATE.parent / "build/tflite_headers"],
        capture_output=True,
        text=True,
    )
    if fetched.returncode == SKIPPED:
        pytest.skip("TFLite's headers cannot be had: " + fetched.stderr.strip().splitlines()[-1])
    assert fetched.returncode == 0, fetched.stderr
    return fetched.stdout.strip()


def compile_check(compiler, headers, mirror_root):
    return subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-fsyntax-only",
            "-Wno-invalid-offsetof",
            f"-I{mirror_root}",
            f"-I{headers}",
            DELEGATE / "abi/tflite_abi_check.cc",
        ],
        capture_output=True,
        text=True,
    )


def test_mirror_agrees_with_the_headers(compiler, headers):
    result = compile_check(compiler, headers, DELEGATE.parent)
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
            "int stride_width;\n  int stride_height;",
            "int stride_height;\n  int stride_width;",
            "TfLiteConvParams::stride_width",
        ),
        ("void* reserve[4];\n} TfLiteDelegate;", "} TfLiteDelegate;", "reserve"),
    ],
)
def test_a_wrong_mirror_does_not_compile(compiler, headers, tmp_path, right, wrong, message):
    text = (DELEGATE / "tflite_abi.h").read_text()
    assert text.count(right) == 1
    (tmp_path / "delegate").mkdir()
    (tmp_path / "delegate/tflite_abi.h").write_text(text.replace(right, wrong))
    result = compile_check(compiler, headers, tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
