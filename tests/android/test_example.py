"""The example app compiles as far as that can be told without an Android SDK: its Kotlin sources
against Android 4.1's classes, LiteRT's interface as it is published, and the AAR's classes, with no
TFLite beside them."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.android.conftest import REPOSITORY
from tflite_eq.version import __version__

HERE = Path(__file__).parent / "example"
SOURCES = REPOSITORY / "examples/android/app/src/main/java"
JAVA = REPOSITORY / "delegate/android/java"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"


def joined(paths: Sequence[Path]) -> str:
    return ":".join(map(str, paths))


def run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What Maven gets, by the name of the artifact."""
    for program in ("mvn", "javac"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: make test-android installs it")
    listed = tmp_path_factory.mktemp("maven") / "path"
    done = subprocess.run(
        [
            *("mvn", "--batch-mode", "--quiet", PLUGIN),
            *("-f", str(HERE / "pom.xml"), f"-Dmdep.outputFile={listed}"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode != 0:
        pytest.skip(f"Maven cannot get what compiles the example here: {done.stdout[-600:]}")
    return {path.parents[1].name: path for path in map(Path, listed.read_text().split(":"))}


@pytest.fixture(scope="module")
def classes(jars: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AAR's classes, which are compiled with TFLite's interface at hand, as for the AAR."""
    folder = tmp_path_factory.mktemp("classes")
    with zipfile.ZipFile(jars["tensorflow-lite-api"]) as aar:
        interface = aar.extract("classes.jar", folder / "tflite")
    template = JAVA / "org/tfliteeq/Version.java.in"
    version = folder / "Version.java"
    version.write_text(template.read_text().replace("@VERSION@", __version__))
    made = folder / "made"
    sources = sorted(JAVA.rglob("*.java"))
    run(
        "javac",
        "--release",
        "8",
        "-Xlint:-options",
        "-cp",
        interface,
        "-d",
        made,
        version,
        *sources,
    )
    return made


class Kotlin:
    """The compiler for the language of the Kotlin that the example's Gradle build names."""

    def __init__(self, jars: dict[str, Path]) -> None:
        self._compiler = joined([path for path in jars.values() if path.suffix == ".jar"])
        self._always = [jars["kotlin-stdlib"], jars["android"]]

    def compile(self, sources: Sequence[Path], class_path: Sequence[Path], to: Path) -> str:
        """What it has to say; an error fails the test."""
        path = joined([*self._always, *class_path])
        tool = ("java", "-cp", self._compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler")
        language = ("-language-version", "2.1", "-jvm-target", "11", "-Werror", "-no-stdlib")
        return run(*tool, *language, "-no-reflect", "-classpath", path, "-d", to, *sources)


def test_kotlin_sources_compile(jars: dict[str, Path], classes: Path, tmp_path: Path) -> None:
    kotlin = Kotlin(jars)
    litert = tmp_path / "litert"
    kotlin.compile([HERE / "LiteRt.kt"], [], litert)
    made = tmp_path / "example"
    kotlin.compile(sorted(SOURCES.rglob("*.kt")), [litert, classes], made)
    names = {path.stem for path in made.rglob("*.class")}
    assert {"MainActivity", "Classifier", "Timing"} <= names


def test_compiler_is_held_to_the_kotlin_of_the_gradle_build() -> None:
    build = (REPOSITORY / "examples/android/build.gradle.kts").read_text()
    assert 'id("org.jetbrains.kotlin.android") version "2.1.' in build


def test_accelerator_needs_no_tflite(classes: Path, tmp_path: Path) -> None:
    path = joined([classes, tmp_path])
    run("javac", "-cp", path, "-d", tmp_path, HERE / "UseWithoutTfLite.java")
    told = run("java", "-cp", path, "UseWithoutTfLite").splitlines()
    assert told[0] == "supported: false"
    assert told[1].startswith(
        "refused: libtflite_eq_delegate.so cannot be loaded into this process"
    )
