"""Models judged by what they are for, from Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_eq
from tests import running
from tests.evaluation import classifiers
from tests.evaluation.tasks import networks
from tflite_eq.data.memory import MemorySamples
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.evaluation.task_evaluator import evaluate_task
from tflite_eq.evaluation.tasks.registry import TASKS, judge

SAMPLES = networks.samples()


def outputs(model: bytes) -> list[Any]:
    """The first output for every sample, by an interpreter of the test's own."""
    return [running.run(model, [sample[np.newaxis]])[0][0] for sample in SAMPLES]


def evaluated(models: dict[str, bytes], truth: Any = None, **said: Any) -> Any:
    validation = tflite_eq.Validation.from_arrays(SAMPLES, truth=truth)
    return tflite_eq.evaluate(models, validation, **said)


def test_without_truth_the_float_model_tells_what_is_right() -> None:
    float_model, other = networks.segmenter(), networks.segmenter(0.4)
    found = evaluated({"other": other}, reference=float_model, task="segment")
    assert isinstance(found, tflite_eq.TaskEvaluation)
    (model,) = found.models
    same = [a.argmax(-1) == b.argmax(-1) for a, b in zip(outputs(float_model), outputs(other))]
    assert model.figures["pixel_accuracy"].value == pytest.approx(100 * np.mean(same))
    assert model.losses["pixel_accuracy"].value == pytest.approx(100 - 100 * np.mean(same))
    assert 0 < model.losses["mean_iou"].low < model.losses["mean_iou"].value
    plain = found.to_dict()
    assert plain["against"] == "reference"
    (output,) = plain["models"][0]["outputs"]
    assert output["sqnr_db"]["value"] > 0


def test_with_truth_every_model_has_its_figures_and_losses_are_paired() -> None:
    float_model, other = networks.segmenter(), networks.segmenter(0.4)
    truth = [np.roll(a.argmax(-1), 1) for a in outputs(float_model)]
    found = evaluated({"other": other}, truth, reference=float_model, task="segment")
    reference, model = found.models
    assert (reference.name, reference.is_reference, reference.losses) == ("reference", True, {})
    right = [
        [np.mean(a.argmax(-1) == t) for a, t in zip(outputs(m), truth)]
        for m in (float_model, other)
    ]
    expected = 100 * np.mean(right, axis=1)
    assert reference.figures["pixel_accuracy"].value == pytest.approx(expected[0])
    assert model.losses["pixel_accuracy"].value == pytest.approx(expected[0] - expected[1])
    alone = evaluated({"other": other}, truth, task="segment")
    assert alone.models[0].figures == model.figures
    assert alone.comparison is None
    assert alone.models[0].losses == {}


def test_processes_change_no_figure() -> None:
    models = [NamedModel("other", networks.segmenter(0.4))]
    samples, reference = MemorySamples(SAMPLES), NamedModel("float", networks.segmenter())
    found = [
        evaluate_task(
            models, samples, judge("segment"), reference=reference, num_workers=workers
        ).to_dict()
        for workers in (1, 2)
    ]
    assert found[0] == found[1]


def test_points_are_found_beside_an_output_that_holds_none() -> None:
    models = {"larger": networks.pointer(1.1)}
    found = evaluated(models, reference=networks.pointer(), task="landmarks")
    assert found.models[0].figures["nme"].value > 1
    assert found.models[0].losses["nme"].value == found.models[0].figures["nme"].value


def test_several_inputs() -> None:
    codes = np.random.default_rng(2).standard_normal((24, 3)).astype(np.float32)
    validation = tflite_eq.Validation.from_arrays({"x0": SAMPLES, "x1": codes})
    found = tflite_eq.evaluate(
        {"same": networks.mixer(), "other": networks.mixer(2.0)},
        validation,
        reference=networks.mixer(),
        task="segment",
    )
    same, other = (model.figures["mean_iou"].value for model in found.models)
    assert same == 100 > other


def test_classes_without_labels_are_those_of_the_float_model() -> None:
    images = classifiers.IMAGES.astype(np.float32)
    validation = tflite_eq.Validation.from_arrays(images)
    models = {"int8": classifiers.int8_classifier()}
    found = tflite_eq.evaluate(
        models, validation, reference=classifiers.float_classifier(), task="classify"
    )
    labels = [
        int(running.run(classifiers.float_classifier(), [x[None]])[0].argmax()) for x in images
    ]
    labelled = tflite_eq.Validation.from_arrays(images, labels)
    by_labels = tflite_eq.evaluate(models, labelled, task="classify")
    assert isinstance(by_labels, tflite_eq.Evaluation)
    agreement = found.models[0].figures["agreement"].value
    assert 60 < agreement < 100
    # Softmax and logits rank alike, but for ties of codes.
    assert agreement == pytest.approx(by_labels.models[0].metrics.top1.value, abs=5)


def gap(found: Any, expected: Any) -> float:
    (a,), (b,) = found.values(), expected.values()
    return float(np.abs(a - b).max())


def nothing(found: Any, expected: Any) -> float:
    return math.nan


def counted(found: Any, expected: Any) -> tuple[int, int]:
    (a,), (b,) = found.values(), expected.values()
    return int((a > b).sum()), a.size


def share(counts: list[tuple[int, int]]) -> float:
    return sum(c for c, _ in counts) / sum(n for _, n in counts)


def test_a_function_of_ones_own() -> None:
    float_model, other = networks.segmenter(), networks.segmenter(0.4)
    found = evaluated({"other": other}, reference=float_model, metric=gap)
    (model,) = found.models
    assert model.figures["gap"].value == pytest.approx(0.4, abs=1e-5)
    assert model.losses == {}  # nobody has said what is better
    lower = tflite_eq.Metric(gap, higher_is_better=False, name="largest", unit="dB")
    found = evaluated({"other": other}, reference=float_model, metric=lower)
    assert found.models[0].losses["largest"].value == pytest.approx(0.4, abs=1e-5)
    assert found.to_dict()["figures"][0]["unit"] == "dB"


def test_a_metric_that_sees_all_samples_at_once_is_drawn_from_them() -> None:
    metric = tflite_eq.Metric(counted, higher_is_better=False, summarize=share)
    found = evaluated(
        {"other": networks.segmenter(0.4)}, reference=networks.segmenter(), metric=metric
    )
    assert found.models[0].figures["counted"].value == pytest.approx(1 / 3, abs=0.01)
    assert found.judge.name == "metric counted"


def test_decode_gives_what_the_task_judges() -> None:
    def upside_down(found: Any) -> Any:
        (scores,) = found.values()
        return scores[:, ::-1]

    float_model = networks.segmenter()
    truth = [a[::-1].argmax(-1) for a in outputs(float_model)]
    found = evaluated({"net": float_model}, truth, task="segment", decode=upside_down)
    assert found.models[0].figures["mean_iou"].value == 100


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"metric": nothing}, DatasetError, "metric nothing gave nan; have it return a finite"),
        ({"metric": lambda a, b: "no"}, DatasetError, "gave 'no' .*, which is no number"),
        ({"metric": lambda a, b: a["none"]}, DatasetError, "fails with KeyError: 'none'.*correct"),
        ({"metric": 3}, ConfigError, "metric: function is 3 "),
        (
            {"metric": tflite_eq.Metric(counted, summarize=lambda counts: None)},
            DatasetError,
            "None",
        ),
        ({"task": "segment", "metric": gap}, ConfigError, "--task segment has figures of its own"),
        ({"task": "segment", "metric": "pixel_accuracy"}, ConfigError, "gives all figures"),
        ({"task": "sleep"}, ConfigError, "choose one of classify, detect"),
        ({"task": "segment", "decode": 3}, ConfigError, "decode is 3 "),
        ({"decode": gap}, ConfigError, "what the network is for is not said"),
        (
            {"task": "segment", "task_options": {"x": 1}},
            ConfigError,
            "choose one of ignore, output",
        ),
        ({"task": "segment", "task_options": {"ignore": 1.5}}, ConfigError, "a whole number"),
        ({"task": "segment", "task_options": {"threshold": "a"}}, ConfigError, "takes a number"),
        ({"task": "classify"}, ModelError, r"reference, sample 0: task classify judges a vector"),
        ({"task": "embed"}, ModelError, r"found 'Identity' \(float32 \[1, 8, 8, 3\]\)"),
        ({"task": "detect"}, ModelError, "the outputs are not those of the operator"),
    ],
)
def test_what_cannot_be_judged_is_named(said: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        evaluated({"other": networks.segmenter(0.4)}, reference=networks.segmenter(), **said)
    assert "\n" not in str(caught.value)


def test_without_truth_and_float_model_there_is_nothing_to_judge_by() -> None:
    with pytest.raises(ConfigError, match="name a float model with --reference, or ground truth"):
        evaluated({"net": networks.segmenter()}, task="segment")


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([np.zeros((8, 8), int)] * 3, "24 samples but ground truth for 3"),
        (np.zeros((24, 8, 8, 3)), "ground truth of sample 0: task segment: expected a mask"),
        ("nowhere.npy", r"nowhere\.npy: no such file"),
        (3, "the ground truth is a int"),
    ],
)
def test_truth_of_another_kind_is_refused(truth: Any, message: str) -> None:
    with pytest.raises(tflite_eq.TfliteEqError, match=message):
        evaluated({"net": networks.segmenter()}, truth, task="segment")


def test_functions_that_no_other_process_can_be_given_are_refused_before_it_is_tried() -> None:
    with pytest.raises(ConfigError, match="define it at the top of a module, or use one process"):
        evaluated(
            {"other": networks.segmenter(0.4)},
            reference=networks.segmenter(),
            metric=lambda a, b: 1.0,
            num_workers=2,
        )


def test_every_task_explains_itself() -> None:
    for name, kind in TASKS.items():
        task = kind()
        assert task.name == name
        for has_truth in (False, True):
            figures = task.figures(has_truth)
            assert figures
            assert all(f.higher_is_better is not None and f.meaning for f in figures)
            assert len({f.name for f in figures}) == len(figures)


def test_files_with_truth(tmp_path: Path) -> None:
    model = networks.segmenter()
    np.save(tmp_path / "samples.npy", SAMPLES)
    np.save(tmp_path / "truth.npy", np.stack([a.argmax(-1) for a in outputs(model)]))
    validation = tflite_eq.Validation.from_files(
        model, tmp_path / "samples.npy", truth=tmp_path / "truth.npy"
    )
    found = tflite_eq.evaluate({"net": model}, validation, task="segment")
    assert found.models[0].figures["mean_iou"].value == 100


def test_files_with_labels_that_are_no_classes(tmp_path: Path) -> None:
    model = classifiers.float_classifier(softmax=False)
    path = tmp_path / "faces.npz"
    np.savez(path, images=classifiers.IMAGES, who=1000 + np.arange(60) // 4)
    with pytest.raises(DatasetError, match=r"label 1000 is outside 0\.\.9"):
        tflite_eq.Validation.from_files(model, path)
    validation = tflite_eq.Validation.from_files(model, path, task="embed")
    found = tflite_eq.evaluate({"net": model}, validation, task="embed")
    assert found.has_truth
    assert 50 <= found.models[0].figures["verification"].value <= 100
    with pytest.raises(tflite_eq.TfliteEqError, match="without labels"):
        tflite_eq.evaluate({"net": model}, validation)
