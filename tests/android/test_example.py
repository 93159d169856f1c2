"""The example app is built as far as that goes without Google's Maven repository: its Kotlin
sources are compiled against the classes of the first Android it is for, LiteRT's interface as it is
published, and the AAR's classes, with no TFLite beside them; and packed with its manifest, assets
and the native library. What Gradle takes from LiteRT's and Kotlin's packages is not in there."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.android.conftest import REPOSITORY
from tflite_eq.version import __version__

HERE = Path(__file__).parent / "example"
APP = REPOSITORY / "examples/android/app"
SOURCES = APP / "src/main/java"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
JAVA = REPOSITORY / "delegate/android/java"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"


def joined(paths: Sequence[Path]) -> str:
    return ":".join(map(str, paths))


def run(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300
    )
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


@pytest.fixture(scope="module")
def compiled(
    jars: dict[str, Path], classes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The classes of the Kotlin sources, without a warning.

    For Java 8, in place of the Java 11 of the Gradle build: dx reads nothing newer.
    """
    folder = tmp_path_factory.mktemp("kotlin")
    # Android brings many a library along, which the compiler must not take for its own.
    own = [path for name, path in jars.items() if name not in ("android-all", "dalvik-dx")]
    compiler = joined([path for path in own if path.suffix == ".jar"])
    tool = ("java", "-cp", compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler")
    language = ("-language-version", "2.1", "-jvm-target", "1.8", "-Werror")
    plain = ("-Xlambdas=class", "-Xsam-conversions=class", "-no-stdlib", "-no-reflect")
    class_path = joined([jars["kotlin-stdlib"], jars["android-all"], classes])
    sources = [HERE / "LiteRt.kt", *sorted(SOURCES.rglob("*.kt"))]
    run(*tool, *language, *plain, "-classpath", class_path, "-d", folder, *sources)
    shutil.rmtree(folder / "com/google/ai/edge/litert")  # the stand-in for LiteRT
    return folder


def test_kotlin_sources_compile(compiled: Path) -> None:
    names = {path.stem for path in compiled.rglob("*.class")}
    assert {"MainActivity", "Classifier", "Timing"} <= names


def test_app_is_packed_with_what_is_its_own(
    jars: dict[str, Path],
    compiled: Path,
    classes: Path,
    aar: zipfile.ZipFile,
    tmp_path: Path,
) -> None:
    if shutil.which("aapt") is None or not FRAMEWORK.is_file():
        pytest.skip("there is no aapt with Android's resources: make test-android installs them")
    build = (APP / "build.gradle.kts").read_text()
    name, least, target = (
        found[1]
        for key in ('namespace = "(.*)"', "minSdk = (.*)", "targetSdk = (.*)")
        if (found := re.search(key, build))
    )
    assert least == "24", "the classes of Android 7.0 are to be those of the first it is for"
    # As the Android Gradle plugin does.
    manifest = (APP / "src/main/AndroidManifest.xml").read_text()
    (tmp_path / "AndroidManifest.xml").write_text(
        manifest.replace("<manifest ", f'<manifest package="{name}" ')
    )
    apk = tmp_path / "app.apk"
    sdk = ("--min-sdk-version", least, "--target-sdk-version", target)
    files = ("-M", tmp_path / "AndroidManifest.xml", "-A", APP / "src/main/assets")
    run("aapt", "package", *sdk, *files, "-I", FRAMEWORK, "-0", "tflite", "-F", apk)
    main = ("java", "-cp", jars["dalvik-dx"], "com.android.dx.command.Main", "--dex")
    dex = tmp_path / "classes.dex"
    run(*main, f"--min-sdk-version={least}", f"--output={dex}", compiled, classes)
    library = aar.extract("jni/arm64-v8a/libtflite_eq_delegate.so", tmp_path)
    packed = tmp_path / "lib/arm64-v8a" / Path(library).name
    packed.parent.mkdir(parents=True)
    shutil.move(library, packed)
    added = (dex.name, packed.relative_to(tmp_path).as_posix())
    run("aapt", "add", apk, *added, folder=tmp_path)
    told = run("aapt", "dump", "badging", apk)
    assert f"package: name='{name}'" in told
    assert (f"sdkVersion:'{least}'" in told, f"targetSdkVersion:'{target}'" in told) == (True, True)
    started = re.search(r"launchable-activity: name='(\S+)'", told)
    assert started is not None
    assert f"L{started[1].replace('.', '/')};".encode() in dex.read_bytes()
    assert "native-code: 'arm64-v8a'" in told
    with zipfile.ZipFile(apk) as archive:
        assert archive.testzip() is None
        assert {"assets/image.png", *added} <= set(archive.namelist())


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
