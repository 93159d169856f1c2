"""The guard on real models: a network in which one layer needs more than 7 bits."""

from __future__ import annotations

import collections
import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import models
from tests.evaluation import classifiers
from tests.guard import networks
from tflite_eq import (
    Config,
    EasyQuantConverter,
    Guard,
    Guarded,
    QuantizationResult,
    Validation,
    attach,
    quantize,
    quantize_guarded,
)
from tflite_eq.errors import ConfigError, DatasetError, ModelError, VerificationError
from tflite_eq.evaluation.classifier import Classifier
from tflite_eq.graph.model import Graph
from tflite_eq.guard import candidate_models
from tflite_eq.record.calibration import Calibration
from tflite_eq.runtimes import preferred_runtime

CALIBRATION = [[x[np.newaxis]] for x in networks.arrays(30, seed=6)]
VALIDATION = networks.arrays(1000, seed=5)
CONFIG = Config(bits="7", method="minmax")


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Validation:
    path = tmp_path_factory.mktemp("data") / "x.npy"
    np.save(path, VALIDATION)
    return Validation.from_files(networks.planted(), path)


def guarded(validation: Validation, bound: float, **options: Any) -> Guarded:
    return quantize_guarded(
        networks.planted(),
        CALIBRATION,
        Guard(bound, validation),
        **{"config": CONFIG, **options},
    )


@functools.cache
def layer_names() -> tuple[str, ...]:
    graph = Graph.from_bytes(networks.planted())
    return tuple(graph.tensors[operator.outputs[0]].name for operator in graph.operators)


def disagreement(model: bytes) -> float:
    """In percent, by an interpreter of this test's own."""
    found = []
    for content in (networks.planted(), model):
        interpreter = preferred_runtime().interpreter(content)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]
        classes = []
        for x in VALIDATION:
            interpreter.set_tensor(source, x[np.newaxis])
            interpreter.invoke()
            classes.append(interpreter.get_tensor(target).argmax())
        found.append(np.array(classes))
    return float(100 * np.mean(found[0] != found[1]))


def test_exactly_the_planted_layer_keeps_eight_bits(validation: Validation) -> None:
    plain = quantize(networks.planted(), CALIBRATION, CONFIG).model
    bound = 14.0
    assert disagreement(plain) > bound
    found = guarded(validation, bound)
    final = found.record.final
    assert (final.kept_int8, final.kept_float) == ((layer_names()[networks.PLANTED],), ())
    assert found.holds
    assert len(found.record.steps) == 3  # the ranking puts the planted layer first
    assert found.record.int8_ranking[0].names == final.kept_int8
    assert [entry.kept for entry in found.record.int8_ranking] == [True, False, False]
    assert final.drop == pytest.approx(disagreement(found.result.model))
    assert final.drop <= bound
    assert found.record.plain.drop == pytest.approx(disagreement(plain))
    assert found.result.report.guard == found.record
    bits = {t.index: t.bits for t in found.result.calibration.tensors}
    read = [bits[layer.input] for layer in found.result.calibration.layers]
    assert read == [7, 8, 7]


def test_options_it_prints_give_the_same_model(validation: Validation) -> None:
    found = guarded(validation, 14.0)
    again = quantize(networks.planted(), CALIBRATION, found.config)
    assert again.model == found.result.model


def test_what_eight_bits_cannot_hold_becomes_float_and_the_rest_stays_at_seven(
    validation: Validation,
) -> None:
    found = guarded(validation, 3.0)
    assert found.holds
    assert set(found.record.final.kept_float) == set(layer_names()[:2])
    assert found.record.final.kept_int8 == ()
    assert disagreement(found.result.model) <= 3.0
    assert found.record.final.price.float_share > 0.9
    assert found.record.plain.price.float_share == 0


def test_an_impossible_bound_gives_the_best_found(validation: Validation) -> None:
    found = guarded(validation, 0.0)
    assert not found.holds
    assert found.record.final.drop == pytest.approx(disagreement(found.result.model))
    assert 0 < found.record.final.drop < found.record.plain.drop


def test_its_report_is_that_of_the_same_options_without_a_guard(
    validation: Validation, tmp_path: Path
) -> None:
    """Histograms, search curves and the default model of the model taken, not of another one."""
    found = guarded(validation, 14.0, report_dir=tmp_path / "guarded")
    quantize(
        networks.planted(),
        CALIBRATION,
        found.config,
        report_dir=tmp_path / "plain",
        comparison=validation.comparison(networks.planted()),
    )
    ours, theirs = (
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("guarded", "plain")
    )
    assert len(ours["models"]) == 3
    assert ours["guard"]["chosen"] > 0
    for plain in (ours, theirs):
        for own in ("process", "guard", "suggestions", "findings"):
            del plain[own]
    assert ours == theirs


def test_a_generous_bound_changes_nothing(validation: Validation) -> None:
    found = guarded(validation, 50.0)
    assert found.config == CONFIG
    assert found.result.model == quantize(networks.planted(), CALIBRATION, CONFIG).model
    assert found.record.final is found.record.plain


def test_expressions_given_by_the_user_stay_in_force(validation: Validation) -> None:
    config = Config(bits="7", method="minmax", keep_int8="^Identity$")
    found = guarded(validation, 14.0, config=config)
    bits = {t.index: t.bits for t in found.result.calibration.tensors}
    assert [bits[layer.input] for layer in found.result.calibration.layers] == [7, 8, 8]


def test_inputs_that_keep_eight_bits_for_their_noise_are_chosen_once(
    validation: Validation,
) -> None:
    config = Config(bits="7", method="minmax", keep_int8_share=0.5)
    found = guarded(validation, 50.0, config=config)
    assert found.config.keep_int8_share == 0
    assert found.config.keep_int8
    assert {t.bits for t in found.result.calibration.tensors if t.start != "fixed"} == {7, 8}
    assert quantize(networks.planted(), CALIBRATION, found.config).model == found.result.model


def test_loud_samples_decide_no_more_about_precision_than_without_a_guard(
    validation: Validation,
) -> None:
    data = [[x * np.float32(40 if number == 7 else 1)] for number, [x] in enumerate(CALIBRATION)]
    config = Config(bits="7", method="minmax", keep_int8_share=0.5)
    model = networks.planted()
    alone = quantize(model, data, config).report.summary["allocations"]
    assert "dB on 29 calibration samples" in alone[0]
    found = quantize_guarded(model, data, Guard(100.0, validation), config)
    assert found.result.report.summary["allocations"] == alone


@pytest.mark.parametrize("bound", [-0.1, 100.1, float("nan"), float("inf"), "0.5", None])
def test_bounds_without_meaning_are_refused(validation: Validation, bound: Any) -> None:
    with pytest.raises(ConfigError, match="must be percentage points from 0 to 100"):
        guarded(validation, bound)


def test_a_model_that_is_no_classifier_is_refused_before_calibrating() -> None:
    validation = Validation.from_arrays(np.zeros((2, *models.IMAGE[1:]), np.float32))
    segmenter = models.convert(lambda x: models.conv(x, 4), models.IMAGE)
    for network in (models.two_input_net(), segmenter):
        message = r"needs classes to count: .*; say what the network is for"
        with pytest.raises(ModelError, match=message):
            quantize_guarded(network, [], Guard(1.0, validation))


def test_the_float_model_runs_over_the_validation_data_once(
    validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: collections.Counter[str] = collections.Counter()
    original = Classifier.logits

    def counted(self: Classifier, sample: Any) -> Any:
        ran[self.name] += 1
        return original(self, sample)

    monkeypatch.setattr(Classifier, "logits", counted)
    tried = len(guarded(validation, 14.0).record.steps)
    assert ran["model"] == len(VALIDATION)
    assert ran["model quantized"] == tried * len(VALIDATION)


@functools.cache
def pooled() -> bytes:
    """A convolution, pooling, a reshape and a dense layer in which INT8 codes are too few."""
    import tensorflow as tf

    stretch = np.ones(8, np.float32)
    stretch[0] = 400.0
    filters = models.weights(3, 3, 3, 8, seed=1) * stretch
    head = models.weights(8 * 36, networks.CLASSES, seed=2)
    head = head.reshape(36, 8, -1) / stretch[:, np.newaxis]

    def network(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME"))
        y = tf.transpose(tf.nn.max_pool2d(y, 2, 2, "VALID"), [0, 2, 1, 3])
        z = tf.reshape(y, (1, 36 * 8)) @ head.reshape(36 * 8, -1)
        z = tf.nn.relu(z + models.biases(networks.CLASSES, seed=2))
        return z @ models.weights(networks.CLASSES, networks.CLASSES, seed=3)

    return models.convert(network, models.IMAGE)


def test_only_operators_that_compute_are_kept_in_float() -> None:
    rng = np.random.default_rng(8)
    images = rng.standard_normal((200, *models.IMAGE[1:])).astype(np.float32)
    found = quantize_guarded(
        pooled(),
        [[x[np.newaxis]] for x in images[:20]],
        Guard(3.0, Validation.from_arrays(images)),
        Config(method="minmax"),
    )
    graph = Graph.from_bytes(pooled())
    kinds = {graph.tensors[o.outputs[0]].name: o.kind for o in graph.operators}
    tried = {kinds[name] for step in found.record.steps for name in step.kept_float}
    assert tried == {"CONV_2D", "FULLY_CONNECTED"}
    assert found.holds
    # What moves values from one to the other goes with them, and only then.
    assert found.config.skip is not None
    skipped = {kinds[name] for name in kinds if re.search(found.config.skip, name)}
    assert {"CONV_2D", "MAX_POOL_2D", "TRANSPOSE", "RESHAPE", "FULLY_CONNECTED"} == skipped


def test_a_choice_that_a_runtime_refuses_is_left_out(
    validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, refused = candidate_models.apply_calibration, layer_names()[0]

    def picky(model: bytes, calibration: Calibration, **options: Any) -> QuantizationResult:
        pattern = calibration.config.skip
        if pattern is not None and re.search(pattern, refused):
            raise VerificationError(f"the model with {refused} in float does not run")
        return original(model, calibration, **options)

    monkeypatch.setattr(candidate_models, "apply_calibration", picky)
    found = guarded(validation, 3.0)
    assert not any(refused in step.kept_float for step in found.record.steps)
    assert "choices were left out: an installed runtime" in found.record.notes[-1]
    assert found.record.final.drop == min(step.drop for step in found.record.steps)
    with pytest.raises(VerificationError, match="does not run"):
        guarded(validation, 3.0, config=Config(method="minmax", skip=re.escape(refused)))


def test_classes_that_are_known_make_it_about_top_1() -> None:
    labels = np.arange(len(VALIDATION)) % networks.CLASSES
    found = guarded(Validation.from_arrays(VALIDATION, labels), 50.0)
    assert found.record.measure == "top-1 drop"
    assert found.record.description == "1000 labelled samples"


@pytest.mark.parametrize(
    ("samples", "labels", "message"),
    [
        ([], None, "at least one sample"),
        ([np.zeros((1, 3)), np.zeros((1, 4))], None, "give arrays of one shape"),
        ([np.zeros(3)], None, "with a batch of 1"),
        (np.full((2, 3), np.nan), None, "hold NaN or infinity"),
        (np.array([["a"]]), None, "give float values"),
        (np.zeros((2, 3)), [0], "2 samples but 1 labels; give one label per sample"),
        (np.zeros((2, 3)), [0.5, 1.5], "labels have element type float64; give class numbers"),
        (np.zeros((2, 3)), ["cat", "dog"], "labels have element type str"),
    ],
)
def test_validation_data_that_cannot_be_used(samples: Any, labels: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Validation.from_arrays(samples, labels)


def test_validation_data_in_every_form_are_the_same() -> None:
    rows = networks.arrays(3, seed=1)
    forms = [rows, [x[np.newaxis] for x in rows], [[x[np.newaxis]] for x in rows]]
    for form in forms:
        samples = Validation.from_arrays(form).comparison(networks.planted()).samples
        np.testing.assert_array_equal(np.concatenate(list(samples)), rows)


def test_images_in_a_folder_with_their_classes(tmp_path: Path) -> None:
    for index, image in enumerate(classifiers.IMAGES[:4]):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label,coarse\n0.png,1,0\n3.png,2,9\n")
    found = Validation.from_files(
        classifiers.float_classifier(),
        tmp_path,
        labels,
        label_column="coarse",
        mean=5,
        std=[1, 2, 4],
    )
    assert (found.has_labels, found.dataset.labels) == (True, (0, 9))
    samples = np.concatenate(list(found.comparison(classifiers.float_classifier()).samples))
    expected = (classifiers.IMAGES[[0, 3]].astype(np.float32) - 5) / np.array([1, 2, 4])
    assert samples.shape == expected.shape
    assert abs(samples.mean() - expected.mean()) < 1  # the middle is cut out and scaled


def test_converters_take_a_guard(validation: Validation) -> None:
    expected = guarded(validation, 14.0)
    converter = EasyQuantConverter.from_tflite(networks.planted(), CONFIG)
    converter.representative_dataset = CALIBRATION
    converter.guard = Guard(14.0, validation)
    assert converter.convert() == expected.result.model
    assert converter.guarded is not None
    assert converter.guarded.holds
    assert converter.report.guard == expected.record
    converter.guard = None
    converter.convert()
    assert converter.guarded is None


def test_an_attached_converter_takes_a_guard(capsys: pytest.CaptureFixture[str]) -> None:
    import tensorflow as tf

    inputs = tf.keras.layers.Input((networks.FEATURES,))
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.Model(inputs, tf.keras.layers.Dense(networks.CLASSES)(inputs))
    )
    converter.representative_dataset = lambda: iter(CALIBRATION)
    guard = Guard(0.0, Validation.from_arrays(VALIDATION))
    attachment = attach(converter, Config(bits="7", method="minmax"), guard=guard)
    model = converter.convert()
    assert attachment.guarded is not None
    assert attachment.result is attachment.guarded.result
    assert len(model) >= len(attachment.guarded.result.model)
    assert not attachment.guarded.holds
    assert "CANNOT BE MET; the model is the best one found" in capsys.readouterr().err
