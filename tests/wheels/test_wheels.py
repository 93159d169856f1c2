"""The wheels of a release: what they hold and claim, and that they serve a new user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.wheels.users import User, new_user, quantize_validate_benchmark, wheel
from tflite_eq import Config, quantize
from tflite_eq.demonstration import digits

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = {
    "tflite_eq/delegate/libtflite_eq_delegate.so",
    "tflite_eq/delegate/libtflite_eq_kernels.so",
    "tflite_eq/delegate/litert/libLiteRtGpuAccelerator.so",
}
PLATFORMS = ("x86_64", "aarch64", "any")
PYTHONS = ROOT / "build" / "pythons"


def package_files() -> set[str]:
    """What of the package is under version control's eyes, and no library."""
    kinds = {".py", ".pyi", ".typed", ".html", ".css", ".js", ".tflite", ".npz"}
    found = (path for path in (ROOT / "tflite_eq").rglob("*") if path.suffix in kinds)
    return {path.relative_to(ROOT).as_posix() for path in found}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_wheel_holds_the_package_and_nothing_else(platform: str) -> None:
    with zipfile.ZipFile(wheel(platform)) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        texts = [archive.read(name) for name in names if name.endswith(".py")]
    assert names == package_files() | (set() if platform == "any" else LIBRARIES)
    # Users of wheels have no use for it.
    assert not any(b"Bazel (" in text or b"bazel build" in text for text in texts)


@pytest.mark.parametrize("platform", ["x86_64", "aarch64"])
def test_auditwheel_finds_what_the_name_claims(platform: str) -> None:
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel(platform))]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r'consistent with\s+the following platform tag:\s+"(\w+)"', told)
    assert found is not None, told
    assert found[1] == f"manylinux_2_17_{platform}"
    assert f"manylinux_2_17_{platform}.manylinux2014_{platform}" in wheel(platform).name


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return new_user(tmp_path_factory.mktemp("user"), [sys.executable], "x86_64")


def test_three_commands_in_an_empty_environment(user: User) -> None:
    quantize_validate_benchmark(user)
    told = user.run("tflite-eq", "--version")
    assert re.search(r"^runtimes: ai-edge-litert \d", told, re.MULTILINE)
    assert re.search(r"^delegate: .*libtflite_eq_delegate\.so$", told, re.MULTILINE)


def test_what_readme_begins_with_runs_as_it_is_pasted(user: User) -> None:
    first_screen = (ROOT / "README.md").read_text().split("\n## ")[0]
    blocks = re.findall(r"```(sh|python)\n(.*?)```", first_screen, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "python", "sh", "sh"]
    (_, demo), (_, python), (_, commands), (_, make) = blocks
    assert "make demo" in make  # what a checkout has, tested elsewhere
    install, demo = demo.split("\n", 1)
    assert install == "pip install tflite-eq"
    user.run_shell(f"{demo}\npython3 - <<'END'\n{python}END\n{commands}")
    made = user.folder / "tflite_eq_demo"
    assert (made / "net_int8.tflite").stat().st_size < (made / "net_float.tflite").stat().st_size


@pytest.fixture
def bare(user: User, tmp_path: Path) -> User:
    """A user of the pure wheel."""
    with zipfile.ZipFile(wheel("any")) as archive:
        archive.extractall(tmp_path)
    return User(user.python, user.folder, {**user.environment, "PYTHONPATH": str(tmp_path)})


def test_what_a_user_of_the_pure_wheel_is_told(bare: User) -> None:
    code = "import tflite_eq.delegate as d\ntry: d.load()\nexcept Exception as e: print(e)"
    told = bare.run("python", "-c", code)
    assert "no libtflite_eq_delegate.so: install the wheel for this machine: pip install" in told


@pytest.mark.parametrize("command", ["validate", "explain", "benchmark"])
def test_where_the_delegate_does_not_run_commands_say_so(command: str, bare: User) -> None:
    given = digits.load()
    model = quantize(given.model, list(given.samples[:20, None]), Config(method="minmax")).model
    (bare.folder / "q.tflite").write_bytes(model)
    # As far as the system's name goes; what chooses by it has been imported then.
    code = f"""
import sys, ai_edge_litert.interpreter, ctypes, multiprocessing, tempfile
sys.platform, sys.stderr = "darwin", sys.stdout
from tflite_eq.cli.main import main, parse
main(parse(["tflite-eq", {command!r}, "--model", "q.tflite"]))
"""
    told = bare.run("python", "-c", code)
    remedy = "quantize here, and run the model there"
    assert told == f"error: the delegate runs on Linux and Android only; {remedy}\n"


def user_of(version: str, folder: Path, options: Sequence[str | Path] = ()) -> User:
    """A user of another Python."""
    interpreter = PYTHONS / version / "bin" / "python3"
    if not interpreter.exists():
        pytest.skip(f"{interpreter} is missing: tools/pythons.sh build/pythons")
    (ffi,) = (PYTHONS / "libffi" / "usr" / "lib").iterdir()
    return new_user(folder, [interpreter], "x86_64", options, LD_LIBRARY_PATH=str(ffi))


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_other_pythons(version: str, tmp_path: Path) -> None:
    other = user_of(version, tmp_path)
    assert other.run("python", "-c", "import numpy; print(numpy.__version__)").startswith("2.")
    quantize_validate_benchmark(other, num_runs=2)


def test_oldest_python_with_the_oldest_dependencies_that_are_promised(tmp_path: Path) -> None:
    """Of every dependency the version that pyproject.toml begins with; of NumPy that is a 1."""
    project = (ROOT / "pyproject.toml").read_text()
    needed = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert needed is not None
    oldest = re.findall(r'^    "([\w-]+)>=([\d.]+)', needed[1], re.MULTILINE)
    assert len(oldest) == needed[1].count(">=")
    constraints = tmp_path / "oldest.txt"
    constraints.write_text("".join(f"{name}=={version}.*\n" for name, version in oldest))
    other = user_of("3.9", tmp_path, ["--only-binary", ":all:", "--constraint", constraints])
    assert other.run("python", "-c", "import numpy; print(numpy.__version__)").startswith("1.")
    quantize_validate_benchmark(other, num_runs=2)
    # Reads images and writes the page, too.
    other.run("tflite-eq", "demo")
    page = ("--model", "net.tflite", "--calibration", "samples.npy", "--preset", "fast")
    other.run("tflite-eq", "quantize", *page, "--output", "q.tflite", "--report_dir", "report")
    assert (other.folder / "report/report.html").is_file()


def test_nightly_runtime(user: User) -> None:
    """Tells of a coming release; what it breaks is no failure of this one."""
    pip = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target", "nightly")
    try:
        user.run("python", *pip, "--pre", "--no-deps", "ai-edge-litert-nightly")
        nightly = User(
            user.python,
            user.folder,
            {**user.environment, "PYTHONPATH": str(user.folder / "nightly")},
        )
        quantize_validate_benchmark(nightly, num_runs=2)
    except AssertionError as error:
        pytest.skip(f"warning: the nightly LiteRT does not pass: {str(error)[-300:]}")


def test_without_libraries_a_build_is_pure(tmp_path: Path) -> None:
    # Programs that pip needs, but no Bazel.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "env", "uname"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    environment = {k: v for k, v in os.environ.items() if k != "TFLITE_EQ_BUILD_DELEGATE"}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run(
        [*command, str(tmp_path / "made"), str(ROOT)],
        env={**environment, "PATH": str(programs)},
        check=True,
    )
    (made,) = (tmp_path / "made").iterdir()
    assert made.name.endswith("-py3-none-any.whl")
