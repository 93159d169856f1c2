"""The library for phones in Android's own C library: loaded and called as an app does, by JNI, in
an emulated arm64 process of Android 6 (unidbg, from Maven), with TFLite's library for phones."""

from __future__ import annotations

import dataclasses
import functools
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests import running
from tests.android import make_model
from tests.android.conftest import REPOSITORY
from tests.built_models import NetworkBuilder
from tflite_eq import Config, IoType, __version__, quantize

SOURCE = REPOSITORY / "tests/android/bionic"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
TFLITE = "org.tensorflow:tensorflow-lite:2.16.1:aar"
IMAGE = (1, 9, 11, 64)


@dataclasses.dataclass(frozen=True)
class Case:
    """A model of one operator, a kernel, and the instructions it has on ARMv8.0."""

    model: str
    kernel: str
    isa: str

    def __str__(self) -> str:
        return f"{self.model}-{self.kernel}-{self.isa}"


CASES = [
    *[Case("int8", kernel, "neon") for kernel in ("winograd_f43", "direct", "reference")],
    *[Case("int8", kernel, "scalar") for kernel in ("winograd_f43", "winograd_f23", "direct")],
    Case("int7", "direct_int7", "neon"),
    *[Case("lattice", "winograd_f43", "neon"), Case("lattice", "winograd_1d", "scalar")],
    *[Case("depthwise", "depthwise", isa) for isa in ("neon", "scalar")],
]


@functools.cache
def model_of(kind: str) -> bytes:
    """A layer with int8 inputs and outputs."""
    net = NetworkBuilder(*IMAGE)
    layer = net.depthwise(net.input) if kind == "depthwise" else net.conv(net.input, 32)
    ends = {"input_type": IoType.INT8, "output_type": IoType.INT8}
    bits = {
        "int7": {"bits": "7"},
        "lattice": {"bits": "7", "target": "x86-vnni"},  # of even triplets
    }.get(kind, {})
    samples = [[np.random.default_rng(3).standard_normal(IMAGE).astype(np.float32)]]
    return quantize(net.finished(layer), samples, Config(method="minmax", **ends, **bits)).model


@functools.cache
def codes() -> np.ndarray:
    """Over the whole range."""
    return np.random.default_rng(4).integers(-128, 128, IMAGE).astype(np.int8)


def maven(*arguments: str) -> None:
    """Has Maven get something, by the user's own settings."""
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", *arguments], capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        pytest.skip(f"Maven cannot get what runs bionic here: {done.stdout[-600:]}")


@pytest.fixture(scope="module")
def results(
    android_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], Path, str]:
    """What one emulated process answered to everything, by request; outputs; what it logged."""
    for program in ("mvn", "javac"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: make test-android installs it")
    folder = tmp_path_factory.mktemp("bionic")
    maven(
        f"{PLUGIN}:build-classpath", "-f", str(SOURCE / "pom.xml"), f"-Dmdep.outputFile={folder}/cp"
    )
    maven(f"{PLUGIN}:copy", f"-Dartifact={TFLITE}", f"-DoutputDirectory={folder}")
    (archive,) = folder.glob("*.aar")
    name = "jni/arm64-v8a/libtensorflowlite_jni.so"
    tflite = zipfile.ZipFile(archive).extract(name, folder)
    path = (folder / "cp").read_text().strip()
    compile_ = ["javac", "-cp", path, "-d", str(folder), str(SOURCE / "RunInBionic.java")]
    subprocess.run(compile_, check=True, timeout=120)
    requests = {
        "version": ["version"],
        "good options": ["options", "num_threads=1", "kernel=auto", "leave=^conv[0-9]"],
        "bad value": ["options", "num_threads=many"],
        "bad pattern": ["options", "leave=("],
        "instructions that are not there": ["options", "isa=neon_dotprod"],
        "accelerator": ["accelerator", "log_level=2"],
        "bad accelerator": ["accelerator", "threads=2"],
        "example": ["run", str(make_model.MODEL), str(make_model.INPUT), str(folder / "example")],
    }
    requests["example"] += ["require_delegation=1", "kernel=winograd_f43"]
    codes().tofile(folder / "input")
    for case in CASES:
        (folder / case.model).write_bytes(model_of(case.model))
        files = [str(folder / case.model), str(folder / "input"), str(folder / str(case))]
        options = [f"kernel={case.kernel}", f"isa={case.isa}", "require_delegation=1"]
        requests[str(case)] = ["run", *files, *options, "log_level=2", "num_threads=1"]
    words = [word for request in requests.values() for word in [*request, ","]][:-1]
    done = subprocess.run(
        ["java", "-cp", f"{folder}:{path}", "RunInBionic", tflite, str(android_library), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    answers = re.findall(r"^RESULT (.*)", done.stdout, re.MULTILINE)
    assert len(answers) == len(requests), done.stdout[-3000:] + done.stderr[-3000:]
    return dict(zip(requests, answers)), folder, done.stderr


def test_library_is_called_by_jni(results: tuple[dict[str, str], Path, str]) -> None:
    answers, _, _ = results
    assert answers["version"] == f"{__version__} true"
    assert answers["good options"] == "made"


def test_accelerator_begins_with_the_interface_that_litert_checks(
    results: tuple[dict[str, str], Path, str],
) -> None:
    answers, _, _ = results
    assert answers["accelerator"] == "200 1.0"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("bad value", 'option num_threads: "many" is not an integer from 0 to 256'),
        ("bad pattern", "option leave: "),
        ("instructions that are not there", "this CPU does not support neon_dotprod; the best"),
        ("bad accelerator", 'unknown option "threads"; there are num_threads'),
    ],
)
def test_bad_options_are_exceptions(
    request_: str, message: str, results: tuple[dict[str, str], Path, str]
) -> None:
    answer = results[0][request_]
    assert answer.startswith("class java/lang/IllegalArgumentException: ")
    assert message in answer


def test_example_gives_the_outputs_of_x86(results: tuple[dict[str, str], Path, str]) -> None:
    answers, folder, _ = results
    assert answers["example"] == "status 0"
    assert (folder / "example").read_bytes() == make_model.EXPECTED.read_bytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_kernel_gives_the_outputs_of_x86(
    case: Case, results: tuple[dict[str, str], Path, str]
) -> None:
    answers, folder, log = results
    assert answers[str(case)] == "status 0"
    isa = "" if case.kernel == "reference" else f" on {case.isa}"
    assert re.search(f"claimed .*: {case.kernel}{isa}", log)
    (expected,) = running.run(model_of(case.model), [codes()])
    assert (folder / str(case)).read_bytes() == expected.tobytes()
