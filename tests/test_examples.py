"""Examples of public names: each has one, and it does what it says."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest

import tflite_eq
import tflite_eq.delegate
from tflite_eq.cli.demo import OUTPUT
from tflite_eq.delegate import library
from tflite_eq.demonstration import digits
from tflite_eq.errors import BackendError
from tflite_eq.quantizer import quantize

MODULES = (tflite_eq, tflite_eq.delegate)
NAMES = [(module, name) for module in MODULES for name in module.__all__]
# What a constant is for stands with the module.
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder such as ``tflite-eq demo`` makes."""
    folder = tmp_path_factory.mktemp("demo")
    given = digits.write(folder)
    (folder / OUTPUT).write_bytes(quantize(given.model, list(given.samples[:, None])).model)
    return folder


def example_of(module: Any, name: str) -> doctest.DocTest:
    """What the docstring of a name shows, or for a constant that of its module."""
    found = getattr(module, name)
    text = module.__doc__ if isinstance(found, str) else found.__doc__
    return doctest.DocTestParser().get_doctest(text, {}, f"{module.__name__}.{name}", None, 0)


@pytest.mark.parametrize(
    ("module", "name"), NAMES, ids=[f"{module.__name__}.{name}" for module, name in NAMES]
)
def test_every_public_name_has_an_example_that_runs(
    module: Any, name: str, demonstration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = example_of(module, name)
    assert any(name in part.source for part in example.examples), "there is no example of it"
    if "tensorflow" in example.docstring:
        pytest.importorskip("tensorflow")
    needs_library = any("delegate." in part.source for part in example.examples)
    if needs_library:
        try:
            library.find()
        except BackendError as error:
            pytest.skip(str(error))
    shutil.copytree(demonstration, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=told.append)
    assert runner.failures == 0, "".join(told)


def test_a_wrong_example_is_found() -> None:
    text = ">>> 1 + 1\n3\n"
    example = doctest.DocTestParser().get_doctest(text, {}, "wrong", None, 0)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=lambda _: None)
    assert runner.failures == 1


def test_modules_are_those_that_the_reference_shows() -> None:
    reference = importlib.import_module("tools.api_reference")
    assert set(MODULES) == set(reference.MODULES)
