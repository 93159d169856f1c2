"""Every way in, on whatever TensorFlow, Keras, NumPy and runtimes are installed.

``make test-compatibility`` runs these tests on the oldest and the newest TensorFlow that the
package supports. They need nothing but the package's own dependencies.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tflite_eq
from tests import models, running
from tflite_eq import Config, EasyQuantConverter, IoType
from tflite_eq.cli.main import main, parse
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, available_runtimes

SHAPE = (1, 12, 12, 3)
LEAST_SQNR_DB = {"8": 24, "7": 18, "auto": 24}


@functools.cache
def keras_model() -> Any:
    """Convolutions of every kind, batch normalisation, a residual, a dense layer."""
    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    image = layers.Input(SHAPE[1:], name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.ReLU(6.0)(layers.Add()([x, layers.Conv2D(8, 1)(y)]))
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    return tf.keras.Model(image, layers.Dense(6, name="logits")(x))


@functools.cache
def float_model() -> bytes:
    return bytes(tf.lite.TFLiteConverter.from_keras_model(keras_model()).convert())


def samples() -> Iterator[list[Any]]:
    yield from models.samples(SHAPE, count=8)


def assert_good(model: bytes, bits: str = "8", io: IoType = IoType.FLOAT32) -> None:
    """Fully int8 and close to the float network, on every runtime with and without XNNPACK."""
    graph = Graph.from_bytes(model)
    inside = [o for o in graph.operators if o.kind not in ("QUANTIZE", "DEQUANTIZE")]
    touched = {i for o in inside for i in (*o.inputs, *o.outputs) if i >= 0}
    assert not [graph.tensors[i].name for i in touched if graph.tensors[i].is_float]
    x = next(samples())[0]
    exact = running.run(float_model(), [x])[0]
    names = {runtime.name for runtime in available_runtimes()}
    assert "tensorflow" in names
    for runtime in available_runtimes():
        for kernels in Kernels:
            value = x
            if io is not IoType.FLOAT32:
                scale, zero_point = end_parameters(runtime, model, "input")
                value = np.round(x / scale + zero_point)
                value = value.clip(*limits(io)).astype(io.value)
            found = running.run(model, [value], kernels, runtime)[0]
            if io is not IoType.FLOAT32:
                assert found.dtype.name == io.value
                scale, zero_point = end_parameters(runtime, model, "output")
                found = (found.astype(np.float32) - zero_point) * scale
            assert running.sqnr_db(exact, found) > LEAST_SQNR_DB[bits], (runtime.name, kernels)


def end_parameters(runtime: Any, model: bytes, end: str) -> tuple[float, int]:
    interpreter = runtime.interpreter(model)
    details = getattr(interpreter, f"get_{end}_details")()
    scale, zero_point = details[0]["quantization"]
    return scale, zero_point


def limits(io: IoType) -> tuple[int, int]:
    return (-128, 127) if io is IoType.INT8 else (0, 255)


@pytest.mark.parametrize("io", list(IoType))
def test_keras_model(io: IoType) -> None:
    converter = EasyQuantConverter.from_keras_model(keras_model())
    converter.representative_dataset = samples
    converter.inference_input_type = getattr(tf, io.value)
    converter.inference_output_type = getattr(tf, io.value)
    assert_good(converter.convert(), io=io)
    assert [layer.kind for layer in converter.report.layers] == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "FULLY_CONNECTED",
    ]


def test_script_for_tensorflows_converter_works_unchanged() -> None:
    converter = EasyQuantConverter.from_keras_model(keras_model())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = tf.lite.RepresentativeDataset(samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    assert_good(converter.convert(), io=IoType.INT8)
    assert converter.target_spec.supported_ops == [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def test_other_attributes_are_those_of_tensorflows_converter() -> None:
    converter = EasyQuantConverter.from_keras_model(keras_model())
    assert converter.allow_custom_ops is False
    converter.allow_custom_ops = True
    assert converter.float_converter.allow_custom_ops is True
    converter.representative_dataset = samples
    assert converter.float_converter.representative_dataset is None


@pytest.mark.parametrize(
    "change",
    [
        {"supported_types": [tf.float16]},
        {
            "supported_ops": [
                tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            ]
        },
    ],
)
def test_target_other_than_int8_is_refused(change: dict[str, Any]) -> None:
    converter = EasyQuantConverter.from_keras_model(keras_model())
    converter.representative_dataset = samples
    for name, value in change.items():
        setattr(converter.target_spec, name, value)
    with pytest.raises(ConfigError, match="always int8"):
        converter.convert()


def test_saved_model(tmp_path: Path) -> None:
    keras_model().export(str(tmp_path / "saved"))
    converter = EasyQuantConverter.from_saved_model(tmp_path / "saved")
    converter.representative_dataset = samples
    assert_good(converter.convert())


def test_concrete_functions() -> None:
    traced = tf.function(
        keras_model(), input_signature=[tf.TensorSpec(SHAPE, tf.float32, name="image")]
    )
    converter = EasyQuantConverter.from_concrete_functions([traced.get_concrete_function()], traced)
    converter.representative_dataset = samples
    assert_good(converter.convert())


@pytest.mark.parametrize("bits", ["8", "7", "auto"])
def test_float_tflite(bits: str) -> None:
    config = Config(bits=bits, target="armv8.2-dotprod")
    converter = EasyQuantConverter.from_tflite(float_model(), config)
    converter.representative_dataset = samples
    assert_good(converter.convert(), bits)


def made_from_keras(folder: Path) -> Any:
    return tf.lite.TFLiteConverter.from_keras_model(keras_model())


def made_from_saved_model(folder: Path) -> Any:
    keras_model().export(str(folder))
    return tf.lite.TFLiteConverter.from_saved_model(str(folder))


def made_from_concrete_function(folder: Path) -> Any:
    traced = tf.function(
        keras_model(), input_signature=[tf.TensorSpec(SHAPE, tf.float32, name="image")]
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], traced)


@pytest.mark.parametrize(
    "make", [made_from_keras, made_from_saved_model, made_from_concrete_function]
)
@pytest.mark.parametrize("io", list(IoType))
def test_attach(make: Any, io: IoType, tmp_path: Path) -> None:
    converter = make(tmp_path)
    converter.representative_dataset = samples
    converter.inference_input_type = getattr(tf, io.value)
    converter.inference_output_type = getattr(tf, io.value)
    if io is not IoType.FLOAT32:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    attachment = tflite_eq.attach(converter)
    assert_good(bytes(converter.convert()), io=io)
    assert len(attachment.report.layers) == 4


def dicts() -> Iterator[dict[str, Any]]:
    return ({"image": x} for [x] in samples())


def pairs() -> Iterator[tuple[str, dict[str, Any]]]:
    return (("serving_default", x) for x in dicts())


@pytest.mark.parametrize("dataset", [samples, dicts, pairs])
def test_forms_of_the_representative_dataset_give_the_same_model(dataset: Any) -> None:
    model = tflite_eq.quantize(float_model(), dataset).model
    assert model == tflite_eq.quantize(float_model(), samples).model


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras_model().save(str(tmp_path / "model.keras"))
    data = np.concatenate([x for [x] in samples()])
    np.savez(tmp_path / "data.npz", x=data, y=np.arange(len(data)) % 6)

    def run(*arguments: str) -> str:
        assert main(parse(["tflite-eq", *arguments])) == 0
        return capsys.readouterr().out.splitlines()[-1]

    calibration, output = str(tmp_path / "data.npz"), str(tmp_path / "out.tflite")
    flags = ["--model", str(tmp_path / "model.keras"), "--calibration", calibration]
    last = run("quantize", *flags, "--output", output, "--report_dir", str(tmp_path / "report"))
    assert json.loads(last.removeprefix("RESULT "))["layers"] == 4
    assert_good(Path(output).read_bytes())
    assert json.loads(run("inspect", output).removeprefix("RESULT "))["int8_layers"] == 4
    last = run("evaluate", "--model", output, "--dataset", calibration, "--num_workers", "1")
    assert json.loads(last.removeprefix("RESULT "))["models"][0]["n"] == 8
