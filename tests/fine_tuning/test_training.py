"""Bias fine-tuning: what it recovers, what it must never do, and what it refuses."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import models, running
from tests.fine_tuning.test_differentiable import written_biases
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.config import BiasCorrection
from tflite_eq.data.dataset import SampleReader
from tflite_eq.data.store import ActivationStore
from tflite_eq.errors import BackendError, ConfigError, DatasetError, ModelError
from tflite_eq.fine_tuning import training as finetune
from tflite_eq.fine_tuning.differentiable import DifferentiableNetwork, distilled_tensors
from tflite_eq.fine_tuning.training import BiasFineTuning, Schedule
from tflite_eq.graph import edit
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.record.calibration import FineTuning, LayerRecord
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation.lockstep import corrected_on, run_lockstep
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations

Array = npt.NDArray[Any]

ITERATIVE = Config(bits="7")
FINETUNE = Config(bits="7", bias_correction="finetune")
SAMPLES = 15


@dataclasses.dataclass
class Pass:
    """A finished calibration pass, which training starts from."""

    graph: Graph
    records: list[LayerRecord]
    twins: TwinActivations

    def training(self, schedule: Schedule | None = None, seed: int = 0) -> BiasFineTuning:
        layers = linear_layers(self.graph)
        network = DifferentiableNetwork(tf, self.graph, layers, self.records, self.twins.params)
        return BiasFineTuning(tf, network, self.graph, layers, self.twins, seed, schedule)

    def without(self, training: BiasFineTuning) -> list[LayerRecord]:
        """The records behind iterative correction that has not seen the held-back samples."""
        layers = linear_layers(self.graph)
        return corrected_on(
            self.graph, layers, self.records, self.twins, training.learned, ITERATIVE
        )

    def held_back_noise(self, training: BiasFineTuning, records: list[LayerRecord]) -> float:
        biases = written_biases(self.graph, records, self.twins.params)
        return float(training.noise([biases[record.index] for record in records]).mean())

    def shifted(self, layer: int, steps: float) -> list[LayerRecord]:
        """The records with every bias of a layer off by so many code steps of its output."""
        record = self.records[layer]
        output = self.graph.operators[record.index].outputs[0]
        shift = steps * self.twins.params[output].scale
        channels = len(record.scales)
        correction = np.float32(record.bias_correction or np.zeros(channels)) + np.float32(shift)
        records = list(self.records)
        records[layer] = dataclasses.replace(record, bias_correction=correction.tolist())
        return records


@functools.cache
def finished_pass(name: str) -> Pass:
    graph = edit.with_biases(Graph.from_bytes(models.build(name)))
    twins = TwinActivations(ActivationStore(), samples=0)
    observers = observe_ranges(graph, SampleReader(graph, models.data(name, SAMPLES)), twins, 0)
    network = Network.of(graph, set())
    kept = {*graph.inputs, *distilled_tensors(graph)}
    _, records = run_lockstep(LockstepPass(network, observers, twins, ITERATIVE), kept=kept)
    return Pass(graph, records, twins)


@pytest.mark.parametrize(("name", "layer"), [("conv_net", 1), ("depthwise_net", 3)])
def test_planted_bias_error_is_recovered(name: str, layer: int) -> None:
    finished = finished_pass(name)
    training = finished.training(Schedule(step=0.2, gradients=720, patience=60))
    clean = finished.held_back_noise(training, finished.records)
    wrong = finished.shifted(layer, 6.0)
    records, found = training.run(wrong, wrong)
    assert found.noise_before > 5 * clean
    allowed = clean + 0.15 * (found.noise_before - clean)
    assert found.noise_after < allowed
    # What is returned was trained on all samples.
    assert finished.held_back_noise(training, records) < allowed


@settings(max_examples=12, deadline=None)
@given(
    layer=st.integers(0, 2),
    steps=st.floats(-20, 20),
    step=st.sampled_from([1e-4, 0.02, 1.0, 30.0]),
    seed=st.integers(0, 3),
)
def test_trial_never_ends_worse_than_it_began(
    layer: int, steps: float, step: float, seed: int
) -> None:
    finished = finished_pass("dense_net")
    training = finished.training(Schedule(step=step, gradients=48, patience=2), seed)
    start = finished.shifted(layer, steps)
    records, found = training.run(start, start)
    assert found.noise_before == pytest.approx(finished.held_back_noise(training, start), rel=1e-6)
    assert found.noise_after <= found.noise_before
    if found.best_epoch == 0:
        assert records == start
        assert found.noise_after == found.noise_before


def test_training_without_effect_leaves_the_records_alone() -> None:
    finished = finished_pass("dense_net")
    training = finished.training(Schedule(step=100.0, gradients=24))
    records, found = training.run(finished.records, finished.without(training))
    assert found.best_epoch == 0
    assert records == finished.records


def test_training_stops_when_patience_ends() -> None:
    finished = finished_pass("dense_net")
    training = finished.training(Schedule(step=100.0, patience=3))
    _, found = training.run(finished.records, finished.records)
    assert (found.best_epoch, found.epochs) == (0, 3)


def test_gains_within_chance_are_left_alone() -> None:
    """Of a shift that training mends, but more certainly than any samples could show."""
    finished = finished_pass("conv_net")
    wrong = finished.shifted(1, 6.0)
    schedule = Schedule(step=0.2, gradients=120, certainty=1e6)
    records, found = finished.training(schedule).run(wrong, wrong)
    assert found.best_epoch == 0
    assert records == wrong


def test_held_back_samples_do_not_enter_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    finished = finished_pass("dense_net")
    training = finished.training(Schedule(step=100.0, patience=2))
    without = finished.without(training)
    expected = training.run(finished.records, without)[1]
    seen: list[Array] = []
    original = DifferentiableNetwork.gradients

    def watched(self: Any, inputs: Any, *rest: Any) -> Any:
        seen.append(inputs[0])
        return original(self, inputs, *rest)

    monkeypatch.setattr(DifferentiableNetwork, "gradients", watched)
    again = finished.training(Schedule(step=100.0, patience=2))
    assert again.run(finished.records, without)[1] == expected
    judged = [again.inputs(sample)[0] for sample in again.judged]
    assert seen
    assert not any(np.array_equal(a, b) for a in seen for b in judged)
    assert without != finished.records


@pytest.mark.parametrize(("samples", "held_back"), [(5, 2), (14, 2), (15, 3), (50, 10)])
def test_a_fifth_is_held_back(samples: int, held_back: int) -> None:
    result = calibrate(models.build("dense_net"), models.data("dense_net", samples), FINETUNE)
    assert result.fine_tuning is not None
    assert result.fine_tuning.held_back == held_back


def noise_of_file(model: bytes, held_back: list[list[Array]]) -> float:
    """Error energy of a file's outputs by TFLite's integer kernels."""
    exact = np.stack(running.run_many(models.build("depthwise_net"), held_back, Kernels.DEFAULT))
    found = np.stack(running.run_many(model, held_back, Kernels.BUILTIN))
    return float(np.mean((found - exact) ** 2))


@pytest.mark.parametrize("seed", range(4))
def test_written_file_is_never_worse_on_what_is_held_back(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the trial takes whatever training does for a gain."""
    believed = itertools.count(1)
    monkeypatch.setattr(BiasFineTuning, "noise", lambda *_: np.full(2, 1 / next(believed)))
    monkeypatch.setattr(finetune, "Schedule", functools.partial(Schedule, gradients=100))
    data = models.data("depthwise_net", 40)
    config = dataclasses.replace(FINETUNE, seed=seed)
    tuned = quantize(models.build("depthwise_net"), data, config)
    iterative = dataclasses.replace(config, bias_correction=BiasCorrection.ITERATIVE)
    plain = quantize(models.build("depthwise_net"), data, iterative)
    held_back = [data[i] for i in np.random.default_rng([seed, 40]).permutation(40)[:8]]
    course = tuned.calibration.fine_tuning
    assert course is not None
    assert course.epochs == 3
    if course.best_epoch:
        assert tuned.model != plain.model
        assert noise_of_file(tuned.model, held_back) <= noise_of_file(plain.model, held_back)
    else:
        assert tuned.calibration.layers == plain.calibration.layers


def test_biases_that_do_not_serve_the_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the simulation says: here it says that a shift of all biases is a gain."""

    def shifted(self: Any, records: list[LayerRecord], _: Any) -> Any:
        worse = [
            dataclasses.replace(r, bias_correction=(np.float32(r.bias_correction) + 1).tolist())
            for r in records
        ]
        return worse, FineTuning(3, 9, best_epoch=1, noise_before=0.1, noise_after=0.01)

    monkeypatch.setattr(BiasFineTuning, "run", shifted)
    data = models.data("depthwise_net", SAMPLES)
    found = calibrate(models.build("depthwise_net"), data, FINETUNE)
    assert found.layers == calibrate(models.build("depthwise_net"), data, ITERATIVE).layers
    assert found.fine_tuning == FineTuning(3, 9, best_epoch=0, noise_before=0.1, noise_after=0.1)


@functools.cache
def fine_tuned() -> Any:
    """A network whose biases are trained because any gain is believed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "Schedule", functools.partial(Schedule, certainty=0.0))
        data = models.data("two_input_net", SAMPLES)
        return quantize(models.build("two_input_net"), data, FINETUNE)


def test_result_is_deterministic() -> None:
    assert fine_tuned().calibration.fine_tuning.best_epoch > 0
    again = fine_tuned.__wrapped__()
    assert again.model == fine_tuned().model
    assert again.calibration.to_text() == fine_tuned().calibration.to_text()


def test_record_gives_the_same_bytes_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Calibration.from_text(fine_tuned().calibration.to_text())
    assert record == fine_tuned().calibration
    monkeypatch.setattr(BiasFineTuning, "run", lambda self: pytest.fail("trained again"))
    result = quantize(models.build("two_input_net"), record)
    assert result.model == fine_tuned().model
    assert result.report.summary["fine_tuning"] == fine_tuned().report.summary["fine_tuning"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": "many"}, "epochs"),
        ({"noise": 1.0}, "noise"),
        ({"noise_after": None}, "noise_after"),
    ],
)
def test_edited_figures_are_checked(change: dict[str, Any], message: str) -> None:
    plain = json.loads(fine_tuned().calibration.to_text())
    plain["fine_tuning"].update(change)
    with pytest.raises(ConfigError, match=message):
        Calibration.from_text(json.dumps(plain))


def test_no_fine_tuning_no_entry() -> None:
    result = running.quantized("dense_net")
    assert "fine_tuning" not in result.calibration.to_text()
    assert "fine_tuning" not in result.report.summary


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"at least 5 calibration samples.* got 4"):
        calibrate(models.build("dense_net"), models.data("dense_net", 4), FINETUNE)


def test_unknown_operator_is_refused_before_data_are_read() -> None:
    def unread() -> Any:
        pytest.fail("read the data")

    with pytest.raises(ModelError, match=r"\(SIN, .*--bias_correction iterative"):
        calibrate(models.build("float_island_net"), unread, FINETUNE)


def test_missing_tensorflow_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find(n, *a)
    )
    with pytest.raises(BackendError, match=r"tflite-eq\[tensorflow\].*iterative"):
        calibrate(models.build("dense_net"), models.data("dense_net"), FINETUNE)
