"""The Android package, as ``make test-android`` builds it: with the NDK, or with what stands in for
it (delegate/android/testing/stand_in_ndk.py)."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILT = REPOSITORY / "bazel-android-bin/delegate/android/tflite_eq_delegate.aar"


@pytest.fixture(scope="session")
def aar() -> zipfile.ZipFile:
    """The package: TFLITE_EQ_AAR, or the checkout's."""
    path = Path(os.environ.get("TFLITE_EQ_AAR") or BUILT)
    if not path.is_file():
        pytest.skip(f"{path} is not built: make test-android")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="session")
def android_library(aar: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native library in it."""
    folder = tmp_path_factory.mktemp("aar")
    return Path(aar.extract("jni/arm64-v8a/libtflite_eq_delegate.so", folder))
