"""Golden files: written, read, and compared with by ``tflite-eq validate``."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import running
from tests.delegate import every_operator
from tflite_eq import runtimes
from tflite_eq.cli.main import main, parse
from tflite_eq.delegate import golden
from tflite_eq.delegate.golden import GoldenSample
from tflite_eq.errors import ConfigError

RUNTIME = "--runtime ai-edge-litert"
HEADER, RECORD = 88, 256


def convolution() -> bytes:
    """A CONV_2D and an ADD, int8 from end to end, with two inputs."""
    return next(c for c in every_operator.cases() if c.kind == "CONV_2D").model()


def run(arguments: str) -> int:
    return main(parse(["tflite-eq", *arguments.split()]))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("conv.tflite").write_bytes(convolution())
    return tmp_path


def example() -> golden.GoldenRun:
    """Two samples of three inputs of different types, one of them a single value, and an output."""
    rng = np.random.default_rng(0)
    samples = [
        GoldenSample(
            [
                rng.integers(-128, 128, (1, 2, 3)).astype(np.int8),
                np.float32(rng.normal()).reshape(()),
                np.zeros((2, 0), np.int64),
            ],
            [rng.normal(size=(4,)).astype(np.float32)],
        )
        for _ in range(2)
    ]
    return golden.golden_run(b"a model", ["image", "größe", "none"], ["out" * 100], samples)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    run = example()
    path = tmp_path / "golden"
    path.write_bytes(golden.content_of(run))
    found = golden.read(path)
    assert found.model_hash == hashlib.sha256(b"a model").digest()
    assert (found.version, found.input_names) == (run.version, run.input_names)
    assert found.output_names == [("out" * 100)[:215]]
    for sample, expected in zip(found.samples, run.samples):
        for tensor, like in zip(
            [*sample.inputs, *sample.outputs], [*expected.inputs, *expected.outputs]
        ):
            assert tensor.dtype == like.dtype
            np.testing.assert_array_equal(tensor, like)


def _damaged(data: bytes, place: int, by: bytes) -> bytes:
    return data[:place] + by + data[place + len(by) :]


@pytest.mark.parametrize(
    ("place", "by", "message"),
    [
        (0, b"X", "it is none"),
        (8, struct.pack("<I", 2), "of format 2"),
        (12, struct.pack("<I", 0), "0 samples"),
        (16, struct.pack("<I", 2**32 - 1), "4294967295 inputs"),
        (HEADER, struct.pack("<I", 77), "record of tensor 0"),
        (HEADER + 4, struct.pack("<I", 9), "record of tensor 0"),
        (HEADER + 8, struct.pack("<i", -1), "record of tensor 0"),
        (HEADER + 8, struct.pack("<i", 2**31 - 1), "damaged or cut off"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, place: int, by: bytes, message: str) -> None:
    path = tmp_path / "golden"
    path.write_bytes(_damaged(golden.content_of(example()), place, by))
    with pytest.raises(ConfigError, match=message) as caught:
        golden.read(path)
    assert str(path) in str(caught.value)


def test_files_of_another_length_are_refused(tmp_path: Path) -> None:
    data = golden.content_of(example())
    path = tmp_path / "golden"
    for length in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ConfigError):
            golden.read(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(ConfigError, match="cut off"):
        golden.read(path)
    with pytest.raises(ConfigError, match="No such file"):
        golden.read(tmp_path / "nowhere")


@pytest.mark.usefixtures("here")
def test_validate_writes_what_it_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"validate --model conv.tflite {RUNTIME} --claim . --golden out.golden") == 0
    assert "Written: out.golden, 4 samples." in capsys.readouterr().out
    written = golden.read("out.golden")
    assert written.model_hash == hashlib.sha256(convolution()).digest()
    for sample in written.samples:
        expected = running.run(convolution(), list(sample.inputs), runtimes.Kernels.REFERENCE)
        for tensor, wanted in zip(sample.outputs, expected):
            np.testing.assert_array_equal(tensor, wanted)
    assert run(f"validate --model conv.tflite {RUNTIME} --claim . --check_golden out.golden") == 0
    figures = _figures(capsys)
    assert figures["differing"] == 0
    # Of four samples: what each operator writes, and the output beside two others.
    assert figures["values"] == 4 * 4 * (2 * 4 * 7 * 5)


@pytest.mark.usefixtures("here")
def test_validate_names_the_code_that_a_golden_file_has_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(f"validate --model conv.tflite {RUNTIME} --samples 2 --golden out.golden") == 0
    data = bytearray(Path("out.golden").read_bytes())
    data[-3] ^= 1
    Path("out.golden").write_bytes(data)
    capsys.readouterr()
    # Whether or not anything is delegated.
    for claim in ("", "--claim ."):
        assert run(f"validate --model conv.tflite {RUNTIME} {claim} --check_golden out.golden") == 1
        figures = _figures(capsys)
        assert figures["differing"] == 1
        assert figures["first"]["layer"] == "total"
        assert figures["first"]["sample"] == 1
        assert figures["first"]["position"] == [1, 3, 6, 2]


def _figures(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line = capsys.readouterr().out.splitlines()[-1]
    (figures,) = json.loads(line.removeprefix("RESULT "))["runtimes"]
    found: dict[str, Any] = figures
    return found


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--check_golden conv.tflite", "it is none"),
        ("--check_golden other.golden", "another model"),
        ("--check_golden other.golden --golden again", "leave --golden away"),
        ("--check_golden other.golden --samples 3", "leave --samples away"),
        ("--golden nowhere/out", "nowhere"),
    ],
)
def test_flags_that_do_not_fit(
    flags: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.golden").write_bytes(golden.content_of(example()))
    assert run(f"validate --model conv.tflite {RUNTIME} {flags}") != 0
    assert message in capsys.readouterr().err
