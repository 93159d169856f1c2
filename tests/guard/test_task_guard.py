"""Bounds on what a network is for: the loss of a task's figure, in its unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import running
from tests.evaluation.tasks import networks as task_networks
from tests.guard import networks
from tflite_eq import Config, Guard, Guarded, Metric, Validation, quantize_guarded
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.guard import candidate_models, measures

CALIBRATION = [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
SAMPLES = networks.arrays(60, seed=5)
CONFIG = Config(bits="7", method="minmax")


def guarded(guard: Guard, **options: Any) -> Guarded:
    return quantize_guarded(networks.planted(), CALIBRATION, guard, **{"config": CONFIG, **options})


def vectors(model: bytes) -> Any:
    """By an interpreter of the test's own, with the kernels that the guard has."""
    from tflite_eq.runtimes import Kernels

    rows = [running.run(model, [x[np.newaxis]], Kernels.DEFAULT)[0][0] for x in SAMPLES]
    return np.stack(rows).astype(np.float64)


def cosine_lost(model: bytes) -> float:
    pairs = zip(vectors(model), vectors(networks.planted()))
    return 1 - float(np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]))


@pytest.fixture(scope="module")
def by_cosine() -> Guarded:
    return guarded(Guard(0.004, Validation.from_arrays(SAMPLES), task="embed"))


def test_a_bound_holds_on_the_figure_of_the_task(by_cosine: Guarded) -> None:
    record = by_cosine.record
    assert (record.measure, record.unit, record.images) == ("cosine loss", "", 60)
    assert by_cosine.holds
    assert record.plain.drop > 0.004 >= record.final.drop
    assert record.final.kept_int8 or record.final.kept_float
    assert record.final.drop == pytest.approx(cosine_lost(by_cosine.result.model), abs=1e-9)
    assert record.final.loss.low < record.final.drop < record.final.loss.high


def test_a_function_bounds_as_well_and_lower_may_be_better() -> None:
    def distance(found: Any, expected: Any) -> float:
        (a,), (b,) = found.values(), expected.values()
        return float(np.linalg.norm(a - b))

    validation = Validation.from_arrays(SAMPLES)
    metric = Metric(distance, higher_is_better=False, unit="m")
    found = guarded(Guard(1.0, validation, metric=metric))
    assert found.record.measure == "distance loss"
    assert found.record.unit == "m"
    gaps = vectors(found.result.model) - vectors(networks.planted())
    expected = float(np.mean(np.linalg.norm(gaps, axis=1)))
    assert found.record.final.drop == pytest.approx(expected, abs=1e-5)


def test_with_truth_the_float_model_may_lose_too() -> None:
    labels = np.arange(60) % 3
    guard = Guard(100, Validation.from_arrays(SAMPLES, truth=labels), task="embed")
    found = guarded(guard)
    assert found.record.measure == "verification loss"
    assert found.record.unit == "points"
    assert found.holds


def test_several_outputs_and_a_named_figure(tmp_path: Path) -> None:
    samples = task_networks.samples()
    validation = Validation.from_arrays(samples)
    guard = Guard(100, validation, task="landmarks", metric="failures")
    report = tmp_path / "report"
    found = quantize_guarded(
        task_networks.pointer(),
        [[x[np.newaxis]] for x in samples],
        guard,
        CONFIG,
        report_dir=report,
    )
    assert found.record.measure == "NME > 10 % loss"
    assert found.record.unit == "points"
    page = (report / "report.html").read_text()
    assert "NME &gt; 10 % loss" in page
    assert "loss, points" in page


def test_an_interrupted_run_takes_losses_up_again_and_other_truth_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    original = measures.TaskMeasure.drop

    def counting(self: Any, model: Any) -> Any:
        measured.append(model)
        return original(self, model)

    monkeypatch.setattr(measures.TaskMeasure, "drop", counting)
    labels = np.arange(60) % 3
    found = []
    for truth in (labels, labels, np.roll(labels, 1)):
        guard = Guard(100, Validation.from_arrays(SAMPLES, truth=truth), task="embed")
        found.append((guarded(guard, resume_dir=tmp_path / "state").record.final, len(measured)))
    assert found[0] == found[1]
    assert [count for _, count in found] == [1, 1, 2]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"task": "embed", "metric": "accuracy"}, "has no such figure without ground truth"),
        ({"metric": lambda a, b: 1.0}, "higher_is_better=True"),
        ({"task": "image", "max_drop": -1.0}, "must be 0 or more, such as 0.5"),
        ({"task": "segment", "max_drop": 101.0}, "from 0 to 100"),
        ({"task": "sleep"}, "choose one of classify"),
        ({"task": "image", "metric": "psnr"}, "choose ssim, or give --truth"),
    ],
)
def test_bounds_that_mean_nothing_are_refused(said: dict[str, Any], message: str) -> None:
    validation = Validation.from_arrays(SAMPLES)
    with pytest.raises(ConfigError, match=message):
        Guard(**{"max_drop": 1.0, "validation": validation, **said})


def test_truth_without_a_task_is_refused() -> None:
    validation = Validation.from_arrays(SAMPLES, truth=np.zeros(60, int))
    with pytest.raises(ConfigError, match=r"give tflite_eq\.Guard"):
        Guard(1.0, validation)
    with pytest.raises(ConfigError, match="both labels and truth"):
        Validation.from_arrays(SAMPLES, [0] * 60, truth=np.zeros(60, int))


def test_what_the_float_model_cannot_be_judged_by_is_refused_before_calibrating(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidate_models, "calibrate_as", None)
    validation = Validation.from_arrays(SAMPLES)
    with pytest.raises(ModelError, match="task segment judges a map"):
        guarded(Guard(1, validation, task="segment"))
    short = Validation.from_arrays(SAMPLES, truth=[0, 1])
    with pytest.raises(DatasetError, match="60 samples but ground truth for 2"):
        guarded(Guard(1, short, task="embed"))
