"""What is in the AAR: all that Gradle and an app's build look for, and nothing that changes from
build to build."""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

import pytest

from tests.android.conftest import REPOSITORY
from tflite_eq.version import __version__

SOURCES = REPOSITORY / "delegate/android"
ANDROID = "{http://schemas.android.com/apk/res/android}"
JAVA_8 = 52


@pytest.fixture(scope="module")
def classes(aar: zipfile.ZipFile) -> dict[str, bytes]:
    """The class files, by name."""
    with zipfile.ZipFile(io.BytesIO(aar.read("classes.jar"))) as jar:
        return {name: jar.read(name) for name in jar.namelist()}


def test_has_the_entries_of_an_aar_and_no_others(aar: zipfile.ZipFile) -> None:
    assert aar.namelist() == [
        "AndroidManifest.xml",
        "classes.jar",
        "R.txt",
        "proguard.txt",
        "jni/arm64-v8a/libtflite_eq_delegate.so",
        "LICENSE",
    ]
    assert aar.testzip() is None


def test_depends_on_contents_alone(aar: zipfile.ZipFile) -> None:
    jar = zipfile.ZipFile(io.BytesIO(aar.read("classes.jar")))
    for archive in (aar, jar):
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0), entry.filename
            assert entry.external_attr == 0o100644 << 16, entry.filename


def test_manifest_names_package_and_lowest_android(aar: zipfile.ZipFile) -> None:
    manifest = ElementTree.fromstring(aar.read("AndroidManifest.xml"))
    assert manifest.tag == "manifest"
    assert manifest.get("package") == "org.tfliteeq"
    (sdk,) = manifest.findall("uses-sdk")
    assert sdk.get(f"{ANDROID}minSdkVersion") == "21"


def test_classes_are_ours_alone_and_java_8(classes: dict[str, bytes]) -> None:
    assert {"org/tfliteeq/EqDelegate.class", "org/tfliteeq/EqOptions.class"} < set(classes)
    for name, code in classes.items():
        assert name.startswith("org/tfliteeq/"), name
        assert int.from_bytes(code[:4], "big") == 0xCAFEBABE
        assert int.from_bytes(code[6:8], "big") == JAVA_8, name


def test_rules_keep_what_the_native_library_looks_up(
    aar: zipfile.ZipFile, classes: dict[str, bytes]
) -> None:
    rules = aar.read("proguard.txt").decode()
    (kept,) = re.findall(r"^-keep class ([\w.]+) \{\s+native <methods>;\s+\}", rules, re.MULTILINE)
    native = kept.replace(".", "/")
    assert f"{native}.class" in classes
    looked_up = (SOURCES / "jni.cc").read_text()
    assert f'FindClass("{native}")' in looked_up
    declared = re.findall(
        r"static native [\w\[\]]+ (\w+)\(",
        (SOURCES / "java" / f"{native}.java").read_text(),
    )
    assert sorted(declared) == sorted(re.findall(r'Method\("(\w+)"', looked_up))


def test_carries_the_licence(aar: zipfile.ZipFile) -> None:
    assert aar.read("LICENSE") == (REPOSITORY / "LICENSE").read_bytes()


def test_java_classes_and_native_library_have_the_packages_version(
    aar: zipfile.ZipFile, classes: dict[str, bytes]
) -> None:
    assert __version__.encode() in classes["org/tfliteeq/Version.class"]
    library = aar.read("jni/arm64-v8a/libtflite_eq_delegate.so")
    assert b"\0" + __version__.encode() + b"\0" in library


def test_accelerators_package_has_its_library_alone() -> None:
    path = REPOSITORY / "bazel-android-bin/delegate/android/tflite_eq_accelerator.aar"
    if not path.is_file():
        pytest.skip(f"{path} is not built: make test-android")
    names = ["AndroidManifest.xml", "R.txt", "jni/arm64-v8a/libLiteRtGpuAccelerator.so", "LICENSE"]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == names
        manifest = ElementTree.fromstring(archive.read("AndroidManifest.xml"))
    assert manifest.get("package") == "org.tfliteeq.accelerator"
