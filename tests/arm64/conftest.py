"""Everything here needs the emulated Python and the delegate's arm64 library.

Without them the tests are skipped, so that a plain ``pytest`` runs anywhere; ``make test-arm64``
makes both and names them by the variables below, and what is named has to be there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arm64.cases import Selection
from tests.arm64.runs import EmulatedRuns
from tools.arm64 import emulation as arm64
from tools.arm64.emulation import Emulation, EmulationError

LIBRARY_VARIABLE = "TFLITE_EQ_ARM64_DELEGATE"
_LIBRARY = "bazel-arm64-bin/delegate/libtflite_eq_delegate.so"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all_models",
        action="store_true",
        help="arm64: run all shared models as users would quantize them; takes about an hour",
    )


@pytest.fixture(scope="session")
def emulation() -> Emulation:
    """The emulated Python."""
    try:
        return Emulation.find()
    except EmulationError as error:
        _missing(str(error), arm64.VARIABLE)


@pytest.fixture(scope="session")
def library() -> Path:
    """Path of the delegate's arm64 library."""
    named = os.environ.get(LIBRARY_VARIABLE)
    path = Path(named or Path(__file__).parents[2] / _LIBRARY).resolve()
    if not path.is_file():
        _missing(
            f"{path} is missing: bazel build --config=arm64 //delegate:libtflite_eq_delegate.so, "
            f"or set {LIBRARY_VARIABLE}",
            LIBRARY_VARIABLE,
        )
    return path


@pytest.fixture(scope="session")
def selection(request: pytest.FixtureRequest) -> Selection:
    """Which models are run."""
    return Selection.ALL if request.config.getoption("--all_models") else Selection.CHOSEN


@pytest.fixture(scope="session")
def runs(emulation: Emulation, library: Path, selection: Selection) -> Iterator[EmulatedRuns]:
    """All models on all CPUs and runtimes, as many at a time as this machine has cores."""
    with contextlib.closing(EmulatedRuns(emulation, library, selection)) as started:
        yield started


def _missing(what: str, variable: str) -> None:
    if os.environ.get(variable):
        pytest.fail(what)
    pytest.skip(what)
