"""The user's data set is read exactly once, and what it yields is copied."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models
from tests.guard import networks
from tflite_eq import (
    Config,
    EasyQuantConverter,
    Guard,
    Validation,
    attach,
    calibrate,
    preset_config,
    quantize,
    quantize_guarded,
)
from tflite_eq.data.dataset import SampleReader
from tflite_eq.data.memory import MemorySamples
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]


class Counted:
    """A data set function that counts how often it is called and read to its end."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples
        self.calls = self.ends = 0

    def __call__(self) -> Iterator[Any]:
        self.calls += 1
        yield from self._samples
        self.ends += 1


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(equalization="none"),
        Config(per_tensor=True),
        Config(bias_correction="finetune"),
        preset_config("best", bits="7"),
    ],
    ids=["default", "no equalization", "cross_layer", "finetune", "best"],
)
def test_quantize_calls_the_function_once(tmp_path: Path, config: Config) -> None:
    data = Counted(models.data("conv_net"))
    found = quantize(models.conv_net(), data, config, report_dir=tmp_path / "report")
    assert (data.calls, data.ends) == (1, 1)
    quantize(models.conv_net(), found.calibration)
    assert data.calls == 1


def test_a_resumed_run_calls_the_function_once(tmp_path: Path) -> None:
    first, second = (Counted(models.data("conv_net")) for _ in range(2))
    made = [
        quantize(models.conv_net(), data, resume_dir=tmp_path / "state").model
        for data in (first, second)
    ]
    assert (first.calls, second.calls) == (1, 1)
    assert made[0] == made[1]


def test_the_guard_calls_the_function_once_for_all_models_it_tries(tmp_path: Path) -> None:
    validation = Validation.from_arrays(networks.arrays(300, seed=5))
    data = Counted([[x[np.newaxis]] for x in networks.arrays(50, seed=1)])
    found = quantize_guarded(
        networks.planted(),
        data,
        Guard(0.0, validation),
        Config(bits="7"),
        resume_dir=tmp_path / "state",
        report_dir=tmp_path / "report",
    )
    assert len(found.record.steps) > 2
    assert (data.calls, data.ends) == (1, 1)


def keras_model() -> Any:
    inputs = tf.keras.layers.Input((networks.FEATURES,))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(networks.CLASSES)(inputs))


@pytest.mark.parametrize("guarded", [False, True])
def test_converters_call_the_function_once(guarded: bool) -> None:
    samples = [[x[np.newaxis]] for x in networks.arrays(8, seed=1)]
    validation = Validation.from_arrays(networks.arrays(50, seed=5))
    guard = Guard(50.0, validation) if guarded else None
    own, attached = Counted(samples), Counted(samples)
    converter = EasyQuantConverter.from_keras_model(keras_model())
    converter.representative_dataset, converter.guard = own, guard
    converter.convert()
    theirs = tf.lite.TFLiteConverter.from_keras_model(keras_model())
    theirs.representative_dataset = attached
    attach(theirs, guard=guard)
    theirs.convert()
    assert (own.calls, attached.calls) == (1, 1)


def test_equalization_and_scales_see_the_same_draw() -> None:
    """A function that shuffles gives the record of the one order that it gave."""
    rng = np.random.default_rng(0)
    pool = models.data("conv_net", count=12)
    drawn: list[Any] = []

    def shuffled() -> Iterator[Any]:
        drawn.extend([pool[i] for i in rng.permutation(len(pool))[:6]])
        yield from list(drawn)

    found = calibrate(models.conv_net(), shuffled)
    assert len(drawn) == 6
    assert found == calibrate(models.conv_net(), drawn)
    assert found.data_sha256 != calibrate(models.conv_net(), drawn[::-1]).data_sha256


class Refilled:
    """Yields one buffer again and again, as loaders that avoid allocations do."""

    def __init__(self, samples: list[list[Array]]) -> None:
        self._samples = samples
        self._buffers = [np.empty_like(values) for values in samples[0]]

    def forms(self, form: str, names: list[str]) -> Iterator[Any]:
        for sample in self._samples:
            for buffer, values in zip(self._buffers, sample):
                buffer[...] = values
            if form == "list":
                yield self._buffers
            elif form == "dict":
                yield dict(zip(names, self._buffers))
            elif form == "signature":
                yield "serving_default", dict(zip(names, self._buffers))
            elif form == "bare array":
                yield self._buffers[0]
            elif form == "without batch axis":
                yield [self._buffers[0][0]]
            elif form == "memory map":
                yield [self._buffers[0].view(np.memmap)]
            elif form == "tensor":
                yield [tf.convert_to_tensor(self._buffers[0])]
            elif form == "several samples":
                yield [np.concatenate([self._buffers[0], self._buffers[0]])]


@pytest.mark.parametrize(
    "form",
    [
        *("list", "dict", "signature", "bare array", "without batch axis"),
        *("memory map", "tensor", "several samples"),
    ],
)
@pytest.mark.parametrize("given", ["function", "iterator"])
def test_a_buffer_that_is_filled_again_does_not_change_samples(form: str, given: str) -> None:
    model, samples = models.keras_net(), models.data("keras_net", count=3)
    graph = Graph.from_bytes(model)
    refilled = Refilled(samples)
    dataset: Any = lambda: refilled.forms(form, ["image"])  # noqa: E731
    with StoredSamples(graph, dataset if given == "function" else dataset()) as stored:
        found = [sample[graph.inputs[0]] for sample in stored]
    copies = 2 if form == "several samples" else 1
    expected = [values for [values] in samples for _ in range(copies)]
    np.testing.assert_array_equal(found, expected)


def test_a_refilled_buffer_gives_the_bytes_of_separate_arrays() -> None:
    model, samples = models.two_input_net(), models.data("two_input_net")
    refilled = Refilled(samples)
    found = quantize(model, lambda: refilled.forms("list", []))
    assert found.model == quantize(model, samples).model


def test_reader_yields_copies() -> None:
    graph = Graph.from_bytes(models.conv_net())
    values = np.zeros(models.IMAGE, np.float32)
    [sample] = SampleReader(graph, [[values]])
    assert not np.shares_memory(sample[graph.inputs[0]], values)


@pytest.mark.parametrize("budget", [0, 1500, 1 << 20])
def test_samples_on_disk_are_those_in_memory(
    budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    graph, given = Graph.from_bytes(models.two_input_net()), models.data("two_input_net")
    with StoredSamples(graph, given, memory_budget=budget) as samples:
        for _ in range(2):
            for sample, expected in zip(samples, given):
                for index, values in zip(graph.inputs, expected):
                    np.testing.assert_array_equal(sample[index], values)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_on_disk_after_an_error_in_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken() -> Iterator[Any]:
        yield models.data("conv_net")[0]
        raise KeyError("no such record")

    with pytest.raises(KeyError, match="no such record"):
        StoredSamples(Graph.from_bytes(models.conv_net()), broken, memory_budget=0)
    assert list(tmp_path.iterdir()) == []


# Validation data and those that reports compare models on.


@pytest.mark.parametrize("form", ["array", "list", "iterator", "function", "lists of one"])
def test_validation_samples_are_copies(form: str) -> None:
    values = networks.arrays(4, seed=0)
    expected = values.copy()

    def refilled() -> Iterator[Array]:
        buffer = np.empty((1, networks.FEATURES), np.float32)
        for row in values:
            buffer[...] = row
            yield buffer

    samples: Any = {
        "array": values,
        "list": [x[np.newaxis] for x in values],
        "iterator": refilled(),
        "function": refilled,
        "lists of one": [[x[np.newaxis]] for x in values],
    }[form]
    validation = Validation.from_arrays(samples, [0, 1, 2, 3])
    values[...] = 0
    held = validation.comparison(networks.planted()).samples
    np.testing.assert_array_equal(np.concatenate(list(held)), expected)


def test_validation_data_in_a_mapped_file_stay_there(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", networks.arrays(4, seed=0))
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    assert np.shares_memory(MemorySamples(mapped)[1], mapped)
    writable = np.load(tmp_path / "data.npy", mmap_mode="r+")
    assert not np.shares_memory(MemorySamples(writable)[1], writable)


def test_labels_are_copied() -> None:
    labels = [0, 1, 2, 3]
    values = np.asarray(labels)
    validation = Validation.from_arrays(networks.arrays(4, seed=0), values)
    compared = ComparisonSet(networks.arrays(4, seed=0), "four", labels)
    values[:] = 0
    labels[:] = [9]
    assert validation.dataset.labels == compared.labels == (0, 1, 2, 3)
