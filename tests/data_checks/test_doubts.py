"""What is said about calibration data that look wrong, and about those that do not."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models, shared_data
from tests.shared_data import needs_shared_data
from tflite_eq import Calibration, Guard, Validation, calibrate, quantize, quantize_guarded
from tflite_eq.data import images
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.data_checks.doubts import doubts_about
from tflite_eq.preparation import prepared

Array = npt.NDArray[Any]


def doubts(model: bytes, samples: Any) -> list[str]:
    graph = prepared(model, "model").front
    with StoredSamples(graph, samples) as stored:
        return doubts_about(graph, stored)


# The data alone.

BASE = models.data("conv_net", count=8)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (BASE[:1], "one sample only: .*--num_samples 50"),
        ([BASE[0]] * 6, "all 6 calibration samples are the same: .*go on to the next one"),
        ([[BASE[0][0] + n * np.float32(1e-4)] for n in range(6)], "nearly the same: .* differ by"),
        (BASE[:2] * 4, "only 2 of the 8 calibration samples are different"),
        ([[np.zeros(models.IMAGE, np.float32)]] * 4, "is 0 in all calibration samples"),
        ([[np.full(models.IMAGE, -0.0, np.float32)]] * 4, "is 0 in all calibration samples"),
        ([[np.full(models.IMAGE, 2.5, np.float32)]] * 4, "is 2.5 in all calibration samples"),
        (
            [[np.full(models.IMAGE, n, np.float32)] for n in range(6)],
            "6 of the 6 calibration samples are blank",
        ),
    ],
)
def test_what_the_data_show_by_themselves(samples: Any, expected: str) -> None:
    import re

    found = doubts(models.conv_net(), samples)
    assert any(re.search(expected, doubt) for doubt in found), found
    assert all("\n" not in doubt for doubt in found)


@pytest.mark.parametrize("name", sorted(models.SHAPES))
def test_ordinary_data_are_not_doubted(name: str) -> None:
    assert doubts(models.build(name), models.data(name)) == []


def test_an_input_that_is_a_setting_may_be_constant() -> None:
    def network(image: Any, strength: Any) -> Any:
        return models.dense(tf.reduce_mean(models.conv(image, 8), [1, 2]), 4) * strength

    model = models.convert(network, models.IMAGE, (1, 1))
    samples = [[image, np.ones((1, 1), np.float32)] for [image] in BASE]
    assert doubts(model, samples) == []


def test_codes_as_inputs_may_repeat() -> None:
    def network(x: Any, i: Any) -> Any:
        return models.dense(x, 4) + tf.cast(i, tf.float32)[0]

    signature = [tf.TensorSpec((1, 5), tf.float32), tf.TensorSpec((1,), tf.int32)]
    traced = tf.function(network, input_signature=signature)
    made = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], traced)
    features = [np.eye(5, dtype=np.float32)[[n % 5]] for n in range(12)]
    samples = [[x, np.zeros(1, np.int32)] for x in features]
    assert doubts(made.convert(), samples) == []


def test_outputs_that_do_not_depend_on_the_sample() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.dense(x, 8, seed=1) - 100.0)
        return models.dense(x, 4, seed=2)

    model = models.convert(network, (1, 20))
    [found] = doubts(model, models.data("dense_net"))
    assert "outputs are the same for all calibration samples" in found


# Scaling, by networks that are made as training would leave them.

SCALINGS = {
    "0..255": (0.0, 1.0),
    "0..1": (0.0, 255.0),
    "-1..1": (127.5, 127.5),
    "-127..127": (127.5, 1.0),
}


@functools.cache
def pixels(count: int = 8, size: int = 24) -> Array:
    """Smooth pictures with bright and dark places."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (count, 4, 4, 3)).astype(np.float32)
    smooth = np.array(tf.image.resize(coarse, (size, size), "bicubic"))
    return np.round(np.clip(smooth * 1.3 - 30, 0, 255)).astype(np.float32)


def scaled(name: str, factor: float = 1.0) -> list[list[Array]]:
    mean, std = SCALINGS[name]
    return [[((x - mean) / std * factor)[None].astype(np.float32)] for x in pixels()]


@functools.cache
def normalized_net(wanted: str, activation: str, front: str = "") -> bytes:
    """A classifier whose batch normalizations have the statistics of what they see."""
    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    inputs = layers.Input((24, 24, 3))
    x = layers.Rescaling(1 / 127.5, -1)(inputs) if front == "rescaling" else inputs
    for channels in (12, 16):
        x = layers.Conv2D(channels, 3, strides=2, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.0, gamma_initializer="ones")(x)
        x = layers.ReLU(6.0 if activation == "relu6" else None)(x)
    logits = layers.Dense(10, kernel_initializer=tf.keras.initializers.RandomNormal(0, 2))
    model = tf.keras.Model(inputs, layers.Softmax()(logits(layers.GlobalAveragePooling2D()(x))))
    data = np.concatenate([sample for [sample] in scaled(wanted)])
    for _ in range(3):
        model(data, training=True)
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize("wanted", sorted(SCALINGS))
def test_the_scaling_a_network_was_trained_with_is_not_doubted(
    wanted: str, activation: str
) -> None:
    assert doubts(normalized_net(wanted, activation), scaled(wanted)) == []


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize(
    ("wanted", "given", "remedy"),
    [
        ("-1..1", "0..255", "x / 127.5 - 1 (--image_mean 127.5 --image_std 127.5)"),
        ("-1..1", "-127..127", "x / 127.5 - 1 (--image_mean 127.5 --image_std 127.5)"),
        ("0..1", "0..255", "x / 255 (--image_mean 0 --image_std 255)"),
        ("0..255", "0..1", "pixels as they are, 0 to 255 (--image_mean 0 --image_std 1)"),
        ("0..255", "-1..1", "pixels as they are, 0 to 255 (--image_mean 0 --image_std 1)"),
    ],
)
def test_another_scaling_is_doubted_with_the_remedy(
    wanted: str, given: str, remedy: str, activation: str
) -> None:
    [found] = doubts(normalized_net(wanted, activation), scaled(given))
    assert remedy in found
    assert "Check the preprocessing" in found


@pytest.mark.parametrize("factor", [255.0, 1 / 255])
def test_scaling_twice_or_not_at_all_is_doubted(factor: float) -> None:
    [found] = doubts(normalized_net("0..1", "relu"), scaled("0..1", factor))
    assert "x / 255" in found


def test_a_network_that_scales_by_itself_is_judged_behind_that() -> None:
    model = normalized_net("0..255", "relu", front="rescaling")
    assert doubts(model, scaled("0..255")) == []
    [found] = doubts(model, scaled("0..255", 255.0))
    assert "pixels as they are, 0 to 255" in found


@pytest.mark.parametrize("given", sorted(SCALINGS))
def test_networks_that_take_no_images_are_not_judged_by_scale(given: str) -> None:
    """Embeddings, audio: nobody knows what they should be like."""
    flat = [[x[0].reshape(1, -1)[:, :1728]] for x in scaled(given)]
    model = models.convert(lambda x: models.dense(tf.nn.relu(models.dense(x, 16)), 10), (1, 1728))
    assert doubts(model, flat) == []


# Where it is said.


def test_it_is_said_once_and_kept_in_report_and_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = quantize(models.conv_net(), [BASE[0]] * 4, report_dir=tmp_path / "report")
    [warning] = found.report.warnings
    assert capsys.readouterr().err.count(warning) == 1
    assert f"<p>{warning}</p>" in (tmp_path / "report" / "report.html").read_text()
    found.calibration.save(tmp_path / "record.json")
    loaded = Calibration.load(tmp_path / "record.json")
    assert loaded == found.calibration
    assert quantize(models.conv_net(), loaded).report.warnings == [warning]
    assert json.loads((tmp_path / "record.json").read_text())["warnings"] == [warning]


def test_a_record_without_doubts_says_nothing_about_them() -> None:
    assert "warnings" not in json.loads(calibrate(models.conv_net(), BASE).to_text())


def test_the_guard_says_it_once_for_all_models(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.guard import networks
    from tflite_eq import Config

    validation = Validation.from_arrays(networks.arrays(300, seed=5))
    same = [[networks.arrays(1, seed=1)]] * 6
    found = quantize_guarded(networks.planted(), same, Guard(1.0, validation), Config(bits="7"))
    assert len(found.record.steps) > 1
    assert capsys.readouterr().err.count("samples are the same") == 1


# Trained networks.


def _shared_pixels(entry: dict[str, Any], count: int) -> Array:
    folder = shared_data.path("images")
    if entry.get("dataset") == "cifar10":
        train = np.load(folder / "cifar10" / "cifar10_train_first4000.npz")
        return next(train[key] for key in train.files if train[key].ndim == 4)[:count]
    with open(shared_data.path("calibration.csv"), newline="") as rows:
        names = [row["file"] for row in csv.DictReader(rows)][:count]
    size = entry["size"]
    return np.stack([images.load_pixels(folder / name, size, size, 3) for name in names])


def _normalized(pixels: Array, mean: Sequence[float], std: Sequence[float]) -> list[list[Array]]:
    values = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
    return [[x[None]] for x in values.astype(np.float32)]


def test_channels_that_a_relu_never_lets_through_are_no_sign_of_scaling() -> None:
    def net(x: Any, bias: float) -> Any:
        filters = models.weights(3, 3, 3, 4, seed=3)
        branch = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME") + np.float32(bias))
        return models.conv(tf.concat([models.conv(x, 4), branch], 3), 4)

    samples = models.samples((1, 8, 8, 3), count=8)
    dead, constant = (
        models.convert(functools.partial(net, bias=bias), (1, 8, 8, 3)) for bias in (-100.0, 100.0)
    )
    assert not doubts(dead, samples)
    assert any(
        "nearly the same whatever the sample" in doubt for doubt in doubts(constant, samples)
    )


@needs_shared_data
@pytest.mark.parametrize(
    "name", ["mobilenet_v1_0.25_224", "tiny_darknet", "squeezenet1_1_gluon", "resnet8_cifar10"]
)
def test_trained_networks(name: str) -> None:
    entry = shared_data.models()[name]
    model = shared_data.path(entry["tflite"]).read_bytes()
    pixels = _shared_pixels(entry, 6)
    assert doubts(model, _normalized(pixels, entry["mean"], entry["std"])) == []
    wrong = (0.0, 1.0) if max(entry["std"]) > 1 else (0.0, 255.0)
    [found] = doubts(model, _normalized(pixels, [wrong[0]] * 3, [wrong[1]] * 3))
    assert "Check the preprocessing" in found
