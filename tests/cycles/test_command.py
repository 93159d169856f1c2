"""What the command says when something it needs is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from delegate.benchmark import cycles
from tools.arm64.cores import CORES, Core
from tools.arm64.counting import count
from tools.arm64.emulation import VARIABLE, Emulation, EmulationError
from tools.arm64.rivals.published import NCNN_MILLISECONDS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set-up that looks complete."""
    (tmp_path / "libcount_blocks.so").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def message(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["cycles", *arguments])
    with pytest.raises(SystemExit) as error:
        cycles.main()
    return str(error.value)


def test_without_the_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    assert "run 'make setup-arm64'" in message(monkeypatch, "--model", "resnet18")


def test_without_a_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert message(monkeypatch).startswith("error: nothing to count: --model with one of resnet18")


def test_without_the_delegate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(folder / "delegate.so")
    found = message(monkeypatch, "--model", "resnet18", "--delegate", missing)
    build = "bazel build --config=arm64 //delegate:libtflite_eq_delegate.so"
    assert found == f"error: {missing} is missing: {build}"


@pytest.mark.parametrize(
    ("model", "said"),
    [("resnet19", "is no .tflite and none of resnet18"), ("none.tflite", "no such file")],
)
def test_a_model_that_is_none(
    model: str, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = folder / "delegate.so"
    library.touch()
    found = message(monkeypatch, "--model", model, "--delegate", str(library))
    assert model in found
    assert said in found


def test_a_core_without_published_times(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = message(monkeypatch, "--calibrate", "--cpu", "n2")
    assert found == "error: no published milliseconds for n2; there are some for a53, a72, a76"


def test_calibration_is_by_the_published_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Twice what is published for every network, and four times for one of them.
    times = {name: [2 * ms for ms in both] for name, both in NCNN_MILLISECONDS["a72"].items()}
    times["squeezenet"][1] *= 2
    monkeypatch.setattr(cycles, "_shape", lambda name, **_: name)
    monkeypatch.setattr(cycles, "_rival", lambda rival, model: model)

    def runs(self: cycles.Meter, core: Core, runtime: str, model: str) -> list[cycles.Run]:
        assert (core, runtime) == (CORES["a72"], "ncnn")
        return [
            cycles.Run(f"ncnn {kind}", 1, cycles.Cycles(), milliseconds, [], [])
            for kind, milliseconds in zip(("int8", "float"), times[model])
        ]

    monkeypatch.setattr(cycles.Meter, "runs", runs)
    monkeypatch.setattr(sys, "argv", ["cycles", "--calibrate", "--cpu", "a72"])
    assert cycles.main() == 0
    *_, slow, summary = capsys.readouterr().out.splitlines()
    assert slow.split() == ["squeezenet", "float", "296.00", "74.00", "4.00"]
    assert summary.split(", ") == ["  2.00 to 4.00", f"geometric mean {2 * 2 ** (1 / 6):.2f}"]


def test_rivals_that_were_not_asked_for(folder: Path) -> None:
    remedy = r"no arm64 ncnn in .*: run tools/arm64/setup.sh .* rivals"
    with pytest.raises(EmulationError, match=remedy):
        count(Emulation.find(), CORES["a53"].cpu, "ncnn", folder, [])


def test_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cycles.Run("runtime", 2_000_000, cycles.Cycles(5e6, 1e6, 5e5), 4.64, [], [])
    halved = cycles.Run("rival", 1_000_000, cycles.Cycles(3.25e6), 2.32, [], [])
    text = cycles._table(cycles.Row("model", "INT8", "a53", [run, halved], []))
    lines = text.splitlines()
    assert lines[0] == "model INT8 on cortex-a53 at 1.4 GHz (Raspberry Pi 3B+)"
    assert lines[2].split() == "runtime 2.00 6.50 = 5.00 1.00 0.50 4.64 1.000".split()
    assert lines[3].split() == "rival 1.00 3.25 = 3.25 0.00 0.00 2.32 0.500".split()
    # The least and the most of what was found in docs/arm64.md, turned round.
    assert "Raspberry Pi 3B+ are 0.79 to 1.20 of what is estimated" in lines[4]
