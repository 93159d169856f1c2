from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.evaluation import classifiers
from tests.evaluation.classifiers import CLASSES, IMAGES
from tests.evaluation.crashing import Crashing
from tests.running import run
from tests.shared_data import models as shared_models
from tests.shared_data import needs_shared_data
from tests.shared_data import path as shared_path
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import BackendError, ConfigError, DatasetError, ModelError, TfliteEqError
from tflite_eq.evaluation.classifier import Classifier, may_be_classifier
from tflite_eq.evaluation.evaluator import evaluate, predict
from tflite_eq.evaluation.labels import LabelledSet, open_labelled
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels

ROOT = Path(__file__).resolve().parents[2]
PLAIN = Preprocessing()
FLOAT = NamedModel("float", classifiers.float_classifier())


def float_logits() -> npt.NDArray[np.float64]:
    model = classifiers.float_classifier(softmax=False)
    return np.stack([run(model, [i[np.newaxis].astype(np.float32)])[0][0] for i in IMAGES])


@pytest.fixture
def dataset(tmp_path: Path) -> LabelledSet:
    """Right for two thirds of the images as far as the float model is concerned."""
    labels = float_logits().argmax(axis=1)
    labels[::3] = (labels[::3] + 1) % CLASSES
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=labels)
    return open_labelled(tmp_path / "x.npz")


def test_figures_are_those_of_logits_computed_by_hand(dataset: LabelledSet) -> None:
    int8 = NamedModel("int8", classifiers.int8_classifier(softmax=False))
    result = evaluate([int8], dataset, PLAIN, reference=FLOAT, kernels=Kernels.REFERENCE)
    expected = float_logits().astype(np.float64)
    measured = np.stack(
        [run(int8.data, [i[np.newaxis].astype(np.float32)])[0][0] for i in IMAGES]
    ).astype(np.float64)
    labels = np.array(dataset.labels)
    reference, model = result.models
    assert (reference.name, reference.is_reference) == ("float", True)
    assert (model.name, model.is_reference) == ("int8", False)
    assert model.size_bytes == len(int8.data)
    assert reference.metrics.top1.value == pytest.approx(100 * 2 / 3)
    top1 = 100 * np.mean(measured.argmax(axis=1) == labels)
    assert model.metrics.top1.value == pytest.approx(top1)
    top5 = 100 * np.mean([label in np.argsort(-m)[:5] for m, label in zip(expected, labels)])
    assert reference.metrics.top5.value == pytest.approx(top5)
    agreement = 100 * np.mean(measured.argmax(axis=1) == expected.argmax(axis=1))
    assert model.metrics.agreement is not None
    assert model.metrics.agreement.value == pytest.approx(agreement)
    sqnr = 10 * np.log10(np.square(expected).sum() / np.square(expected - measured).sum())
    assert model.metrics.sqnr_db is not None
    assert model.metrics.sqnr_db.value == pytest.approx(sqnr, abs=1e-3)
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kernels", list(Kernels))
def test_element_types_of_the_ends_make_no_difference(
    dataset: LabelledSet, kernels: Kernels
) -> None:
    """The input grid is exact for pixels, so all three models compute the same."""
    models = [
        NamedModel(io, classifiers.int8_classifier(io)) for io in ("float32", "int8", "uint8")
    ]
    result = evaluate(models, dataset, PLAIN, reference=FLOAT, kernels=kernels)
    figures = [model.metrics.to_dict() for model in result.models[1:]]
    assert figures[0] == figures[1] == figures[2]
    assert figures[0]["sqnr_db"]["value"] > 15


def test_a_softmax_in_the_reference_alone_makes_no_difference(dataset: LabelledSet) -> None:
    bare = NamedModel("bare", classifiers.float_classifier(softmax=False))
    result = evaluate([bare], dataset, PLAIN, reference=FLOAT)
    sqnr = result.models[1].metrics.sqnr_db
    assert sqnr is not None
    assert sqnr.value > 100


def test_the_number_of_workers_changes_nothing(dataset: LabelledSet) -> None:
    models = [NamedModel(str(seed), classifiers.float_classifier(seed=seed)) for seed in (1, 2)]
    results = [
        evaluate(models, dataset, PLAIN, reference=FLOAT, num_workers=workers).to_dict()
        for workers in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]
    assert results[0]["models"][0]["n"] == len(IMAGES)


def test_models_do_not_influence_each_other(dataset: LabelledSet) -> None:
    models = [NamedModel(str(seed), classifiers.float_classifier(seed=seed)) for seed in (1, 2)]
    together = evaluate(models, dataset, PLAIN, reference=FLOAT).models[1:]
    swapped = evaluate(models[::-1], dataset, PLAIN, reference=FLOAT).models[1:]
    alone = [evaluate([m], dataset, PLAIN, reference=FLOAT).models[1] for m in models]
    assert list(together) == list(swapped[::-1]) == alone


@pytest.mark.parametrize("workers", [1, 2])
def test_stored_predictions_give_the_same_figures_bit_for_bit(
    dataset: LabelledSet, workers: int
) -> None:
    models = [NamedModel("int8", classifiers.int8_classifier()), NamedModel("again", FLOAT.data)]
    stored = predict(FLOAT, dataset, PLAIN, num_workers=workers)
    found = evaluate(models, dataset, PLAIN, reference=stored, num_workers=workers)
    expected = evaluate(models, dataset, PLAIN, reference=FLOAT)
    assert found.to_dict() == expected.to_dict()
    np.testing.assert_allclose(stored.logits, float_logits(), atol=1e-4)  # other kernels


def test_a_model_whose_predictions_are_stored_does_not_run_again(
    dataset: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = predict(FLOAT, dataset, PLAIN)
    ran: list[str] = []
    original = Classifier.logits

    def counted(self: Classifier, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        ran.append(self.name)
        return original(self, sample)

    monkeypatch.setattr(Classifier, "logits", counted)
    evaluate([NamedModel("int8", classifiers.int8_classifier())], dataset, PLAIN, reference=stored)
    assert set(ran) == {"int8"}
    assert len(ran) == len(IMAGES)


def test_predictions_made_otherwise_are_refused(dataset: LabelledSet) -> None:
    int8 = [NamedModel("int8", classifiers.int8_classifier())]
    stored = predict(FLOAT, dataset, PLAIN)
    for changes, message in (
        ({"kernels": Kernels.REFERENCE}, "other kernels: reference then, default now"),
        ({"runtime": "other 1.0"}, "other runtime: other 1.0 then"),
        ({"preprocessing": Preprocessing((1.0,), (2.0,))}, "other preprocessing"),
        ({"labels": dataset.labels[1:]}, "other number of samples: 59 then, 60 now"),
        ({"labels": dataset.labels[::-1]}, "other labels; run predict again"),
    ):
        other = dataclasses.replace(stored, **changes)
        with pytest.raises(ConfigError, match=message):
            evaluate(int8, dataset, PLAIN, reference=other)
    fewer = dataclasses.replace(stored, logits=stored.logits[:, :3])
    with pytest.raises(ModelError, match="float has 3 classes, int8 has 10"):
        evaluate(int8, dataset, PLAIN, reference=fewer)


def test_without_a_reference_only_labels_count(dataset: LabelledSet) -> None:
    (model,) = evaluate([FLOAT], dataset, PLAIN).models
    assert model.metrics.top1.value == pytest.approx(100 * 2 / 3)
    assert model.metrics.agreement is None


def test_a_dynamic_batch_and_another_input_size(tmp_path: Path, dataset: LabelledSet) -> None:
    dynamic = NamedModel("dynamic", classifiers.other("dynamic batch"))
    result = evaluate([dynamic], dataset, PLAIN, reference=FLOAT)
    sqnr = result.models[1].metrics.sqnr_db
    assert sqnr is not None
    assert sqnr.value > 100
    wide = np.repeat(np.repeat(IMAGES, 2, axis=1), 2, axis=2)
    np.savez(tmp_path / "both.npz", small=IMAGES, large=wide, labels=np.array(dataset.labels))
    large = NamedModel("large", classifiers.other("larger input"))
    both = evaluate([large], open_labelled(tmp_path / "both.npz"), PLAIN, reference=FLOAT)
    agreement = both.models[1].metrics.agreement
    assert agreement is not None
    assert agreement.value > 50


def test_an_open_size_is_that_of_the_other_models(dataset: LabelledSet) -> None:
    dynamic = NamedModel("dynamic", classifiers.other("dynamic size"))
    for models, reference in (([FLOAT], dynamic), ([dynamic], FLOAT)):
        result = evaluate(models, dataset, PLAIN, reference=reference)
        sqnr = result.models[1].metrics.sqnr_db
        assert sqnr is not None
        assert sqnr.value > 100
    # Alone it takes arrays as they are.
    assert evaluate([dynamic], dataset, PLAIN).models[0].metrics.n == len(IMAGES)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("two outputs", ModelError, "bad: has 2 outputs"),
        ("two inputs", ModelError, "bad: has 2 inputs"),
        ("map of classes", ModelError, r"bad: the output has shape \[1, 8, 8, 10\], no vector of"),
        ("one value", ModelError, r"bad: the output has shape \[1, 1\], no vector of classes"),
        ("batch of 2", ModelError, "bad: the model's input has shape .*batch of 1"),
        ("larger input", DatasetError, "no array fits the model's input"),
        ("three classes", ModelError, "float has 10 classes, bad has 3"),
        ("integer output", ModelError, "bad: the output has type int64"),
        ("integer input", ModelError, "bad: the input has type int32"),
        ("not a number", ModelError, "bad: the outputs hold NaN or infinity"),
    ],
)
def test_models_that_cannot_be_evaluated(
    dataset: LabelledSet, kind: str, error: type[TfliteEqError], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate([NamedModel("bad", classifiers.other(kind))], dataset, PLAIN, reference=FLOAT)


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [
        ("dynamic batch", True),
        ("softmax reshaped", True),
        ("two outputs", False),
        ("two inputs", False),
        ("map of classes", False),
        ("map of open size", False),
        ("one value", False),
    ],
)
def test_the_file_tells_what_may_be_a_classifier(kind: str, is_one: bool) -> None:
    assert may_be_classifier(Graph.from_bytes(classifiers.other(kind))) == is_one


def test_files_that_are_no_models(dataset: LabelledSet) -> None:
    for data in (b"", b"hello, world", FLOAT.data[:200]):
        with pytest.raises(ModelError, match="bad: "):
            evaluate([NamedModel("bad", data)], dataset, PLAIN)


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=IMAGES[:3], y=np.array([1, 10, 3]))
    with pytest.raises(DatasetError, match=r"position 1: label 10 is outside 0\.\.9"):
        evaluate([FLOAT], open_labelled(tmp_path / "x.npz"), PLAIN)


def test_arguments_are_checked(dataset: LabelledSet) -> None:
    with pytest.raises(ConfigError, match="--num_workers 0"):
        evaluate([FLOAT], dataset, PLAIN, num_workers=0)
    with pytest.raises(ConfigError, match="no model"):
        evaluate([], dataset, PLAIN)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_sample_is_reported_whoever_reads_it(tmp_path: Path, workers: int) -> None:
    images = IMAGES.astype(np.float32)
    images[41, 0, 0, 0] = np.nan
    np.savez(tmp_path / "x.npz", images=images, labels=np.zeros(60, int))
    with pytest.raises(DatasetError, match=r"sample 41 holds NaN"):
        evaluate([FLOAT], open_labelled(tmp_path / "x.npz"), PLAIN, num_workers=workers)


def test_a_crash_in_a_worker_is_an_error_not_the_end() -> None:
    with pytest.raises(BackendError, match="a worker process died"):
        evaluate([FLOAT], Crashing(), PLAIN, num_workers=2)


def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    model, folder = tmp_path / "model.tflite", tmp_path / "pids"
    model.write_bytes(FLOAT.data)
    folder.mkdir()
    arguments = [sys.executable, "-m", "tests.evaluation.stuck", str(model), str(folder)]
    process = subprocess.Popen(arguments, cwd=ROOT)
    try:
        _wait_until(lambda: len(list(folder.iterdir())) == 2)
        process.kill()
        process.wait()
        _wait_until(lambda: not any(_is_running(int(path.name)) for path in folder.iterdir()))
    finally:
        for worker in [process.pid, *(int(path.name) for path in folder.iterdir())]:
            if _is_running(worker):
                os.kill(worker, signal.SIGKILL)


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    """Whether a process exists and has not ended; nobody may have collected its exit code."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "top1"), [("resnet8_cifar10", 88.1), ("resnet8_large_cifar10", 91.5)]
)
def test_published_accuracy_on_cifar10(name: str, top1: float) -> None:
    entry = shared_models()[name]
    model = NamedModel(name, shared_path(entry["tflite"]).read_bytes())
    dataset = open_labelled(shared_path("images/cifar10/cifar10_test_first1000.npz"))
    (result,) = evaluate([model], dataset, PLAIN).models
    assert result.metrics.top1.value == pytest.approx(top1)


@needs_shared_data
def test_published_accuracy_on_imagenet() -> None:
    """Depends on decoding, scaling and cropping: another filter moves it by over 1 point."""
    entry = shared_models()["squeezenet1_1_gluon"]
    model = NamedModel("squeezenet", shared_path(entry["tflite"]).read_bytes())
    dataset = open_labelled(shared_path("images"), shared_path("validation.csv"))
    preprocessing = Preprocessing(tuple(entry["mean"]), tuple(entry["std"]))
    (result,) = evaluate([model], dataset, preprocessing, num_workers=2).models
    assert result.metrics.n == 1147
    assert result.metrics.top1.value == pytest.approx(54.9, abs=0.3)
