"""Bias fine-tuning: what it recovers, what it must never do, and what it refuses."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import models, running
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.bias.finetune import BiasFineTuning, Schedule
from tflite_eq.calibration.dataset import SampleReader
from tflite_eq.calibration.record import LayerRecord
from tflite_eq.calibration.statistics import observe_ranges
from tflite_eq.errors import BackendError, ConfigError, DatasetError, ModelError
from tflite_eq.graph import edit
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation.differentiable import DifferentiableNetwork, distilled_tensors
from tflite_eq.simulation.lockstep import run_lockstep
from tflite_eq.simulation.store import ActivationStore
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

    def training(
        self, records: list[LayerRecord], schedule: Schedule | None = None, seed: int = 0
    ) -> BiasFineTuning:
        layers = linear_layers(self.graph)
        network = DifferentiableNetwork(tf, self.graph, layers, records, self.twins.params)
        return BiasFineTuning(tf, network, self.graph, layers, records, self.twins, seed, schedule)

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
    layers = linear_layers(graph)
    twins = TwinActivations(ActivationStore(), samples=0)
    observers = observe_ranges(graph, SampleReader(graph, models.data(name, SAMPLES)), twins, 0)
    groups = scale_groups(graph, layers, set())
    kept = {*graph.inputs, *distilled_tensors(graph)}
    _, records = run_lockstep(graph, layers, groups, set(), observers, twins, ITERATIVE, kept=kept)
    return Pass(graph, records, twins)


@pytest.mark.parametrize(("name", "layer"), [("conv_net", 1), ("depthwise_net", 3)])
def test_planted_bias_error_is_recovered(name: str, layer: int) -> None:
    finished = finished_pass(name)
    clean = finished.training(finished.records).run()[1].noise_before
    wrong = finished.shifted(layer, 6.0)
    schedule = Schedule(step=0.2, epochs=60, patience=60)
    _, found = finished.training(wrong, schedule).run()
    assert found.noise_before > 5 * clean
    assert found.noise_after < clean + 0.15 * (found.noise_before - clean)


@settings(max_examples=12, deadline=None)
@given(
    layer=st.integers(0, 2),
    steps=st.floats(-20, 20),
    step=st.sampled_from([1e-4, 0.02, 1.0, 30.0]),
    seed=st.integers(0, 3),
)
def test_never_worse_on_what_is_held_back(layer: int, steps: float, step: float, seed: int) -> None:
    finished = finished_pass("dense_net")
    schedule = Schedule(step=step, epochs=4, patience=2)
    start = finished.shifted(layer, steps)
    records, found = finished.training(start, schedule, seed).run()
    assert found.noise_after <= found.noise_before
    unchanged = [np.zeros(len(r.scales), np.float32) for r in records]
    # Seen from the records alone, as the writer will see them.
    assert finished.training(records, schedule, seed).held_back_noise(unchanged) == pytest.approx(
        found.noise_after, rel=1e-6
    )
    if found.best_epoch == 0:
        assert records == start
        assert found.noise_after == found.noise_before


def test_training_without_effect_leaves_the_records_alone() -> None:
    finished = finished_pass("dense_net")
    records, found = finished.training(finished.records, Schedule(step=100.0, epochs=2)).run()
    assert found.best_epoch == 0
    assert records == finished.records


def test_training_stops_when_patience_ends() -> None:
    finished = finished_pass("dense_net")
    _, found = finished.training(finished.records, Schedule(step=100.0, patience=3)).run()
    assert found.epochs == found.best_epoch + 3


@pytest.mark.parametrize(("samples", "held_back"), [(5, 1), (9, 1), (10, 2), (50, 10)])
def test_a_fifth_is_held_back(samples: int, held_back: int) -> None:
    result = calibrate(models.build("dense_net"), models.data("dense_net", samples), FINETUNE)
    assert result.fine_tuning is not None
    assert result.fine_tuning.held_back == held_back


def logits_noise(model: bytes, held_back: list[list[Array]], learned: list[list[Array]]) -> float:
    """Noise to signal ratio of a file's outputs by TFLite's kernels."""
    run = functools.partial(running.run_many, kernels=Kernels.DEFAULT)
    exact = np.stack(run(models.build("depthwise_net"), held_back))
    found = np.stack(run(model, held_back))
    signal = np.var(np.stack(run(models.build("depthwise_net"), learned)))
    return float(np.mean((found - exact) ** 2) / signal)


def test_written_file_has_the_error_that_is_reported() -> None:
    data = models.data("depthwise_net", SAMPLES)
    tuned = quantize(models.build("depthwise_net"), data, FINETUNE)
    plain = quantize(models.build("depthwise_net"), data, ITERATIVE)
    judged = set(finished_pass("depthwise_net").training(tuned.calibration.layers).judged)
    held_back = [sample for i, sample in enumerate(data) if i in judged]
    learned = [sample for i, sample in enumerate(data) if i not in judged]
    found = tuned.calibration.fine_tuning
    assert found is not None
    assert found.best_epoch > 0
    # XNNPACK rounds as the simulation does, but for few values.
    assert logits_noise(plain.model, held_back, learned) == pytest.approx(
        found.noise_before, rel=0.05
    )
    assert logits_noise(tuned.model, held_back, learned) == pytest.approx(
        found.noise_after, rel=0.05
    )
    assert found.noise_after < found.noise_before


@functools.cache
def fine_tuned() -> Any:
    return quantize(models.build("two_input_net"), models.data("two_input_net", SAMPLES), FINETUNE)


def test_result_is_deterministic() -> None:
    again = quantize(models.build("two_input_net"), models.data("two_input_net", SAMPLES), FINETUNE)
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
