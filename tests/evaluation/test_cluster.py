"""Evaluation on Ray, by a cluster of one machine: the same engine that spans many."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation import classifiers, several_outputs
from tests.evaluation.classifiers import CLASSES, IMAGES
from tests.evaluation.crashing import Crashing, CrashingOnce
from tests.shared_data import models as shared_models
from tests.shared_data import needs_shared_data
from tests.shared_data import path as shared_path
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import BackendError, ConfigError, DatasetError
from tflite_eq.evaluation.comparison import compare_outputs
from tflite_eq.evaluation.dispatch import Engine
from tflite_eq.evaluation.evaluator import evaluate, predict
from tflite_eq.evaluation.labels import LabelledSet, open_labelled
from tflite_eq.evaluation.task import NamedModel

PLAIN = Preprocessing()
FLOAT = NamedModel("float", classifiers.float_classifier())
INT8 = NamedModel("int8", classifiers.int8_classifier(softmax=False))

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'tflite-eq[ray]'"
)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A cluster of two workers, shared by the tests: starting one takes seconds."""
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def dataset(tmp_path: Path) -> LabelledSet:
    labels = np.arange(len(IMAGES)) % CLASSES
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=labels)
    return open_labelled(tmp_path / "x.npz")


@needs_ray
def test_figures_are_those_of_this_process(ray: Any, dataset: LabelledSet) -> None:
    alone = evaluate([INT8], dataset, PLAIN, reference=FLOAT)
    cluster = evaluate([INT8], dataset, PLAIN, reference=FLOAT, engine=Engine.RAY)
    assert cluster.to_dict() == alone.to_dict()
    assert ray.is_initialized(), "a connection that was there is left alone"


@needs_ray
def test_outputs_are_compared_on_the_cluster(ray: Any) -> None:
    samples = several_outputs.Held(list(several_outputs.images(20)))
    reference = NamedModel("float", several_outputs.network())
    model = NamedModel("other", several_outputs.network(1.01))
    alone = compare_outputs([model], reference, samples)
    cluster = compare_outputs([model], reference, samples, engine=Engine.RAY)
    assert cluster.to_dict() == alone.to_dict()


@needs_ray
def test_stored_predictions_reach_the_cluster(ray: Any, dataset: LabelledSet) -> None:
    stored = predict(FLOAT, dataset, PLAIN)
    cluster = evaluate([INT8], dataset, PLAIN, reference=stored, engine=Engine.RAY)
    assert cluster.to_dict() == evaluate([INT8], dataset, PLAIN, reference=FLOAT).to_dict()


@needs_ray
def test_samples_of_a_worker_that_died_are_counted_once(ray: Any, tmp_path: Path) -> None:
    dataset = CrashingOnce(len(IMAGES), tmp_path / "crashed")
    result = evaluate([INT8], dataset, PLAIN, reference=FLOAT, engine=Engine.RAY)
    assert (tmp_path / "crashed").exists()
    assert result.models[0].metrics.n == len(IMAGES)
    # It has crashed by now: this process can read it.
    assert result.to_dict() == evaluate([INT8], dataset, PLAIN, reference=FLOAT).to_dict()


@needs_ray
def test_a_crash_everywhere_is_an_error(ray: Any) -> None:
    with pytest.raises(BackendError, match="workers died 4 times"):
        evaluate([FLOAT], Crashing(), PLAIN, engine=Engine.RAY)


@needs_ray
def test_errors_of_workers_are_what_they_are_here(ray: Any, tmp_path: Path) -> None:
    images = IMAGES.astype(np.float32)
    images[41, 0, 0, 0] = np.nan
    np.savez(tmp_path / "x.npz", images=images, labels=np.zeros(len(IMAGES), int))
    with pytest.raises(DatasetError, match="sample 41 holds NaN"):
        evaluate([FLOAT], open_labelled(tmp_path / "x.npz"), PLAIN, engine=Engine.RAY)


@needs_ray
@needs_shared_data
def test_the_validation_set_on_a_cluster(ray: Any) -> None:
    entry = shared_models()["squeezenet1_1_gluon"]
    model = NamedModel("squeezenet", shared_path(entry["tflite"]).read_bytes())
    dataset = open_labelled(shared_path("images"), shared_path("validation.csv"))
    preprocessing = Preprocessing(tuple(entry["mean"]), tuple(entry["std"]))
    cluster = evaluate([model], dataset, preprocessing, engine=Engine.RAY)
    assert cluster.models[0].metrics.n == 1147
    alone = evaluate([model], dataset, preprocessing, num_workers=2)
    assert cluster.to_dict() == alone.to_dict()


def test_without_ray_the_error_names_the_extra(
    dataset: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'tflite-eq\[ray\]'"):
        evaluate([FLOAT], dataset, PLAIN, engine=Engine.RAY)


def test_an_address_needs_the_engine(dataset: LabelledSet) -> None:
    with pytest.raises(ConfigError, match="--ray_address goes with --engine ray"):
        evaluate([FLOAT], dataset, PLAIN, ray_address="auto")


@needs_ray
def test_ray_that_does_not_start(dataset: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no shared memory")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(BackendError, match=r"does not start .*\(no shared memory\); leave out"):
        evaluate([FLOAT], dataset, PLAIN, engine=Engine.RAY)


@needs_ray
def test_no_cluster_at_the_address(dataset: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=r"--ray_address 127\.0\.0\.1:1: no Ray cluster answers"):
        evaluate([FLOAT], dataset, PLAIN, engine=Engine.RAY, ray_address="127.0.0.1:1")
