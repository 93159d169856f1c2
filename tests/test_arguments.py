"""Arguments of the wrong kind: one line that says what to pass instead, before any work."""

from __future__ import annotations

import pathlib
import re
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.guard import networks
from tflite_eq import (
    Bits,
    Calibration,
    Config,
    EasyQuantConverter,
    Guard,
    SearchSettings,
    TfliteEqError,
    Validation,
    attach,
    calibrate,
    preset_config,
    quantize,
    quantize_guarded,
)

MODEL = models.conv_net()
DATA = models.data("conv_net", count=2)
ROWS = networks.arrays(4, seed=0)


def keras_model() -> Any:
    return tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(2)])


def converter() -> Any:
    return tf.lite.TFLiteConverter.from_keras_model(keras_model())


def guard() -> Guard:
    return Guard(1.0, Validation.from_arrays(ROWS))


def no_data() -> Any:
    pytest.fail("looked at the data first")


def set_and_convert(**attributes: Any) -> None:
    made = EasyQuantConverter.from_tflite(MODEL)
    made.representative_dataset = no_data
    for name, value in attributes.items():
        setattr(made, name, value)
    made.convert()


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "config dict": (
        lambda: quantize(MODEL, no_data, {"bits": 7}),
        r"give tflite_eq\.Config\(bits=7\)",
    ),
    "config empty dict": (lambda: quantize(MODEL, no_data, {}), r"give tflite_eq\.Config\(\)"),
    "config preset": (
        lambda: calibrate(MODEL, no_data, "best"),
        r"tflite_eq\.preset_config\('best'\)",
    ),
    "config class": (lambda: calibrate(MODEL, no_data, Config), "give a tflite_eq.Config"),
    "config enum": (lambda: quantize(MODEL, no_data, Bits.INT7), "give a tflite_eq.Config"),
    "guarded config": (
        lambda: quantize_guarded(networks.planted(), no_data, guard(), {"bits": "7"}),
        r"give tflite_eq\.Config\(bits='7'\)",
    ),
    "converter config": (
        lambda: EasyQuantConverter.from_tflite(MODEL, {"bits": 7}),
        r"Config\(bits=7\)",
    ),
    "converter config set": (lambda: set_and_convert(config={"seed": 1}), r"Config\(seed=1\)"),
    "attach config": (lambda: attach(converter(), {"bits": 7}), r"Config\(bits=7\)"),
    "attach guard": (lambda: attach(converter(), guard=0.5), r"tflite_eq\.Guard\(max_drop=0\.5"),
    "attach report_dir": (
        lambda: attach(converter(), None, 5),
        r"report_dir is 5 \(int\); give a path",
    ),
    "converter guard": (
        lambda: set_and_convert(guard=0.5),
        r"Guard\(max_drop=0\.5, validation=\.\.\.\)",
    ),
    "converter report_dir": (lambda: set_and_convert(report_dir=5), "report_dir is 5"),
    "guard number": (
        lambda: quantize_guarded(networks.planted(), no_data, 2),
        r"guard is 2 \(int\); give tflite_eq\.Guard\(max_drop=2, validation=",
    ),
    "guard validation": (
        lambda: Guard(0.5, ROWS),
        "Validation.from_arrays or Validation.from_files",
    ),
    "guard bound": (
        lambda: Guard("0.5", Validation.from_arrays(ROWS)),
        "must be percentage points",
    ),
    "guard bool": (lambda: Guard(True, Validation.from_arrays(ROWS)), "must be percentage points"),
    "validation": (lambda: Validation(ROWS, None, False, ""), "Validation.from_arrays"),
    "validation path": (lambda: Validation.from_arrays("data.npy"), "Validation.from_files"),
    "validation number": (lambda: Validation.from_arrays(3), "give one array"),
    "validation pairs": (
        lambda: Validation.from_arrays([(ROWS[:1], np.zeros(3))]),
        "labels apart from them",
    ),
    "validation labels": (
        lambda: Validation.from_arrays(ROWS, [[1], [1, 2], 3, 4]),
        "one class number",
    ),
    "validation model": (lambda: Validation.from_files("m.tflite", "x"), "no such file"),
    "validation mean": (
        lambda: Validation.from_files(MODEL, "x", mean="a"),
        "mean is 'a'; give one",
    ),
    "validation resize": (
        lambda: Validation.from_files(MODEL, "x", resize="fit"),
        "'fit' is not a valid Resize",
    ),
    "validation rate": (
        lambda: Validation.from_files(MODEL, "x", audio_rate=1.5),
        "audio_rate is 1.5, expected a whole number",
    ),
    "validation data": (lambda: Validation.from_files(MODEL, 5), r"data is 5 \(int\); give a path"),
    "model str": (lambda: quantize("m.tflite", no_data), "m.tflite: no such file; check the path"),
    "model path": (lambda: calibrate(pathlib.Path("m.tflite"), no_data), "no such file"),
    "model folder": (lambda: quantize(".", no_data), "cannot read the model: Is a directory"),
    "model None": (lambda: quantize(None, no_data), "found a NoneType"),
    "model keras": (
        lambda: quantize(keras_model(), no_data),
        r"EasyQuantConverter\.from_keras_model",
    ),
    "model converter": (lambda: quantize(converter(), no_data), r"tflite_eq\.attach\(converter\)"),
    "guarded model": (lambda: quantize_guarded("m.tflite", no_data, guard()), "no such file"),
    "from_tflite keras": (
        lambda: EasyQuantConverter.from_tflite(keras_model()),
        "from_keras_model",
    ),
    "from_keras path": (lambda: EasyQuantConverter.from_keras_model("m.keras"), "load_model"),
    "from_saved_model": (
        lambda: EasyQuantConverter.from_saved_model(b"x"),
        "saved_model_dir is b'x'",
    ),
    "num_samples str": (lambda: quantize(MODEL, no_data, num_samples="50"), "num_samples is '50'"),
    "num_samples float": (lambda: quantize(MODEL, no_data, num_samples=1.5), "a whole number"),
    "num_samples bool": (lambda: quantize(MODEL, no_data, num_samples=True), "a whole number"),
    "num_samples 0": (lambda: quantize(MODEL, no_data, num_samples=0), "num_samples is 0"),
    "num_workers": (
        lambda: quantize_guarded(networks.planted(), no_data, guard(), num_workers="2"),
        "num_workers is '2'",
    ),
    "backend": (lambda: quantize(MODEL, no_data, backend=3), r"3 \(int\) is not one of 'auto'"),
    "backend name": (lambda: quantize(MODEL, no_data, backend="tf"), r"'tf' \(str\) is not one of"),
    "resume_dir": (lambda: quantize(MODEL, no_data, resume_dir=5), "resume_dir is 5"),
    "resume_dir bytes": (lambda: calibrate(MODEL, no_data, resume_dir=b"x"), "resume_dir is b'x'"),
    "report_dir": (lambda: quantize(MODEL, no_data, report_dir=True), "report_dir is True"),
    "comparison": (
        lambda: quantize(MODEL, no_data, comparison=DATA),
        r"ComparisonSet\(samples, description\)",
    ),
    "search dict": (
        lambda: Config(search={"steps": 5}),
        r"give tflite_eq\.SearchSettings\(steps=5\)",
    ),
    "search None": (lambda: Config(search=None), "SearchSettings"),
    "search low": (
        lambda: SearchSettings(low="0.5"),
        "search setting low must be a number, got '0.5'",
    ),
    "search high": (lambda: SearchSettings(high=float("inf")), "high must be a number, got inf"),
    "search steps": (lambda: SearchSettings(steps=True), "steps must be at least 1, got True"),
    "seed str": (lambda: Config(seed="3"), "seed must be an integer"),
    "seed bool": (lambda: Config(seed=True), "seed must be an integer"),
    "skip bytes": (lambda: Config(skip=b"a"), "expected a str, found a bytes"),
    "skip pattern": (lambda: Config(skip=re.compile("a")), "expected a str, found a Pattern"),
    "per_tensor": (lambda: Config(per_tensor="yes"), "must be true or false"),
    "bits float": (lambda: Config(bits=7.5), "bits: 7.5 is not one of '8', '7', 'auto'"),
    "preset": (lambda: preset_config(3), "preset: 3 is not one of"),
    "preset option": (lambda: preset_config("best", bitz=7), "bitz"),
    "calibration path": (lambda: Calibration.load(5), r"path is 5 \(int\)"),
    "data str": (lambda: quantize(MODEL, "images/"), "gives a str, .* read what it names first"),
    "data path": (lambda: quantize(MODEL, pathlib.Path("x.json")), "Calibration.load"),
    "data dict": (lambda: quantize(MODEL, {"x": DATA[0][0]}), r"put the samples into a list"),
    "data number": (lambda: calibrate(MODEL, 3), "gives a int, not an iterable of samples"),
    "data record": (lambda: calibrate(MODEL, record()), "gives a Calibration, not an iterable"),
}


def record() -> Calibration:
    return calibrate(MODEL, DATA, Config(method="minmax", bias_correction="none"))


@pytest.mark.parametrize("case", sorted(CASES))
def test_wrong_kinds_are_refused_in_one_line(case: str) -> None:
    call, expected = CASES[case]
    with pytest.raises(TfliteEqError, match=expected) as refused:
        call()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"bits": "7"},
        {"bits": 7},
        {"seed": np.int64(3), "per_tensor": np.bool_(True)},
        {"search": SearchSettings(steps=np.int32(50), low=np.float32(0.5))},
    ],
)
def test_right_kinds_of_other_types_are_taken(given: dict[str, Any]) -> None:
    config = Config(**given)
    assert Config.from_dict(config.as_dict()) == config
    assert type(config.seed) is int
    assert type(config.search.steps) is int


@pytest.mark.parametrize(
    "form",
    [
        lambda: (sample for sample in DATA),
        lambda: tf.data.Dataset.from_tensor_slices(np.concatenate([x for [x] in DATA])).batch(1),
        lambda: np.concatenate([x for [x] in DATA]),
        lambda: tuple(DATA),
    ],
    ids=["generator object", "tf.data", "array", "tuple"],
)
def test_data_sets_of_every_kind_give_the_same(form: Callable[[], Any]) -> None:
    config = Config(method="minmax", bias_correction="none")
    assert calibrate(MODEL, form(), config) == record()


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_models_in_other_containers_of_bytes(kind: Any) -> None:
    assert calibrate(kind(MODEL), DATA, Config(method="minmax", bias_correction="none")) == record()
