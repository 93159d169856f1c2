"""Which peers are measured when, what is kept, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import results_file
from benchmarks.cases import Case
from benchmarks.peers import __main__ as command
from benchmarks.peers import measure, process
from benchmarks.peers.registry import LITERT, OURS, PEERS, SONY_MCT, Peer
from tests import models, running, shared_data
from tests.benchmarks.entries import entry, failure, figures
from tflite_eq.errors import TfliteEqError
from tflite_eq.evaluation.task import NamedModel

MODELS = {"first": {"conv3x3s1": 3}, "second": {"conv3x3s1": 0}}


@pytest.fixture(autouse=True)
def _two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_data, "models", lambda: MODELS)


class Recorder:
    """Stands in for quantizing and evaluating."""

    def __init__(self, breaks_at: str = "") -> None:
        self.measured: list[tuple[str, str]] = []
        self._breaks_at = breaks_at

    def __call__(self, name: str, peers: Sequence[Peer], _: Any) -> list[measure.Entry]:
        if name == self._breaks_at:
            raise KeyboardInterrupt
        self.measured += [(name, peer.name) for peer in peers]
        return [entry(name, peer.name, agreement=float(len(self.measured))) for peer in peers]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    def once(*peers: str, breaks_at: str = "", remeasure: bool = False) -> Recorder:
        recorder = Recorder(breaks_at)
        monkeypatch.setattr(measure, "open_case", lambda name, _: name)
        monkeypatch.setattr(measure, "measure", recorder)
        selection = measure.Selection(list(MODELS), [PEERS[p] for p in peers], remeasure)
        try:
            measure.run(selection, {}, tmp_path, tmp_path / "out.json")
        except KeyboardInterrupt:
            recorder.measured.append((breaks_at, "interrupted"))
        return recorder

    return once


def test_an_interrupted_run_goes_on_behind_the_last_model(
    run: Callable[..., Recorder], tmp_path: Path
) -> None:
    run("tflite", breaks_at="second")
    kept = (tmp_path / "out.json").read_bytes()
    assert run("tflite").measured == [("second", "tflite")]
    assert run("tflite").measured == []
    assert json.loads(kept)[0] == results_file.load(tmp_path / "out.json")[0]


def test_only_what_is_missing_is_measured_and_failures_are_results(
    run: Callable[..., Recorder], tmp_path: Path
) -> None:
    known = [entry("first", "tflite"), failure("second", "sony-mct", "MemoryError")]
    results_file.save(tmp_path / "out.json", known)
    assert run("tflite", "sony-mct").measured == [("first", "sony-mct"), ("second", "tflite")]
    assert results_file.load(tmp_path / "out.json")[:2] == known


def test_remeasuring_replaces_what_was_asked_for_in_its_place(
    run: Callable[..., Recorder], tmp_path: Path
) -> None:
    run("tflite", "sony-mct")
    before = results_file.load(tmp_path / "out.json")
    assert run("sony-mct", remeasure=True).measured == [(m, "sony-mct") for m in MODELS]
    after = results_file.load(tmp_path / "out.json")
    assert [(r["model"], r["peer"]) for r in after] == [(r["model"], r["peer"]) for r in before]
    changed = [r["peer"] for r, old in zip(after, before) if r != old]
    assert changed == ["sony-mct", "sony-mct"]


def test_lattice_is_measured_where_there_are_3x3_convolutions(
    run: Callable[..., Recorder],
) -> None:
    assert run("lattice", "int7").measured == [
        ("first", "lattice"),
        ("first", "int7"),
        ("second", "int7"),
    ]


class Judge(Case):
    """A case whose evaluation refuses some files."""

    def compare(self, judged: Sequence[NamedModel]) -> list[measure.Entry]:
        if any(m.data == b"broken" for m in judged):
            raise TfliteEqError("not a model")
        return [{"quantized": figures(len(m.data), 0, 0)} for m in judged]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    calibration = [np.full((1, 2), i, np.float32) for i in range(200)]
    unused: Any = None
    return Judge("first", b"float", tmp_path / "model.h5", unused, unused, calibration)


def test_one_file_that_cannot_be_evaluated_spoils_no_other(case: Case) -> None:
    found = measure.evaluated(case, {"a": b"1", "b": b"broken", "c": b"333"})
    assert found["b"] == {"failed": "its file cannot be evaluated: not a model"}
    assert [found[n]["quantized"]["agreement"]["value"] for n in "ac"] == [1, 3]


def test_peers_get_their_form_of_the_model_and_their_number_of_samples(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def quantize(
        environment: Any, python: Path, model: Path, samples: Path, options: Any, _: Path
    ) -> process.Run:
        asked.append((environment.name, str(python), model.suffix, np.load(samples).shape, options))
        if environment is SONY_MCT:
            raise process.RunnerError("TypeError: no such layer")
        return process.Run(running.quantized("conv_net").model, {"V": "1"}, {"wall_seconds": 1.0})

    monkeypatch.setattr(process, "quantize", quantize)
    peers = [PEERS["litert-octav"], PEERS["sony-mct"], PEERS["best-int8"]]
    pythons = {e.name: Path(e.name) for e in (LITERT, SONY_MCT, OURS)}
    entries = measure.measure(case, peers, pythons)
    assert asked == [
        ("litert", "litert", ".tflite", (50, 2), {"algorithm": "OCTAV"}),
        ("sony-mct", "sony-mct", ".h5", (50, 2), {}),
        ("tflite-eq", "tflite-eq", ".h5", (200, 2), {"preset": "best"}),
    ]
    assert [e.get("failed") for e in entries] == [None, "TypeError: no such layer", None]
    assert entries[0]["bytes"] == len(running.quantized("conv_net").model)
    assert entries[2]["quantized"]
    assert entries[2]["wall_seconds"] == 1.0


def test_operators_in_float_are_counted() -> None:
    assert measure.float_operators(running.quantized("conv_net").model) == {}
    in_float = measure.float_operators(models.build("conv_net"))
    assert in_float.get("CONV_2D", 0) >= 1


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command with stand-ins behind it; its own results in ``out.json``."""
    monkeypatch.setattr(shared_data, "folder", lambda: tmp_path)
    monkeypatch.setattr(measure, "open_case", lambda name, _: name)
    monkeypatch.setattr(measure, "measure", Recorder())
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: command.main(arguments)


def test_a_missing_environment_is_skipped_with_its_remedy_and_the_others_measured(
    shell: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--output", "out.json", "--peer", "tflite", "--peer", "sony-mct")
    nowhere = tmp_path / "nowhere"
    assert shell(*arguments, "--python", f"sony-mct={nowhere}") == 1
    told = capfd.readouterr().err
    assert f"skipped: sony-mct: there is no {nowhere}; make it with `make peers`" in told
    measured = results_file.load(tmp_path / "out.json")
    assert [(r["model"], r["peer"]) for r in measured] == [(m, "tflite") for m in MODELS]


def test_a_complete_run_succeeds_and_its_results_can_be_rendered(
    shell: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--peer", "int8", "--model", "second", "--python", f"tflite-eq={sys.executable}")
    assert shell("--output", "out.json", *chosen) == 0
    assert shell("--render", "out.json") == 0
    assert "| tflite_eq INT8 | 1.0 / 20.0 / 1.0 |" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "o", "--model", "third"), "--model third: unknown; known are first, second"),
        (("--output", "none/o"), "none does not exist; create it first"),
        (("--output", "."), "it is a folder"),
        (("--render", "absent.json"), "absent.json: cannot read the results"),
        (("--render", "half.json"), "half.json: not a file of results"),
        (("--render", "other.json"), "other.json: not a file of results (not a list"),
        (("--output", "half.json", "--peer", "tflite"), "half.json: not a file of results"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    shell: Callable[..., int],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    message: str,
) -> None:
    (tmp_path / "half.json").write_text('[{"model"')
    (tmp_path / "other.json").write_text("{}")
    assert shell(*arguments) == 1
    assert message in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "o", "--peer", "nobody"), "invalid choice: 'nobody'"),
        (("--output", "o", "--python", "nobody=python3"), "'nobody=python3' is not of the form"),
        (("--output", "o", "--python", "litert"), "'litert' is not of the form"),
        ((), "either --output or --render is required"),
    ],
)
def test_wrong_options_are_usage_errors(
    shell: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as caught:
        shell(*arguments)
    assert caught.value.code == 2
    assert message in capfd.readouterr().err


def test_without_shared_data_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shared_data, "folder", lambda: None)
    assert command.main(["--output", "out.json"]) == 1
    assert "set TFLITE_EQ_DATA" in capfd.readouterr().err
