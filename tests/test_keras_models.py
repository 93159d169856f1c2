"""Keras files of every kind: loaded by the Keras they are for, or refused with what to do."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import types
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tests import running
from tflite_eq import keras_models
from tflite_eq.cli.models import load_float_model
from tflite_eq.errors import ModelError

IS_KERAS_2 = version("keras").startswith("2.")

needs_keras_2 = pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None or IS_KERAS_2,
    reason="needs Keras 2 beside Keras 3: pip install tf_keras",
)
needs_keras_3 = pytest.mark.skipif(IS_KERAS_2, reason="is about files that Keras 3 cannot load")

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def keras_2() -> Any:
    return pytest.importorskip("tf_keras")


def network(keras: Any, *extra: Any) -> Any:
    """A network whose depthwise convolution Keras 2 describes so that Keras 3 cannot load it."""
    keras.utils.set_random_seed(5)
    image = keras.layers.Input((8, 8, 3), batch_size=1, name="image")
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(image)
    for layer in extra:
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_float_model(str(path))
    return str(caught.value)


def assert_computes_as(model: Any, flatbuffer: bytes) -> None:
    image = RNG.standard_normal((1, 8, 8, 3)).astype(np.float32)
    [found] = running.run(flatbuffer, [image])
    np.testing.assert_allclose(found, np.asarray(model(image)), rtol=1e-4, atol=1e-5)


@needs_keras_2
@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m.hdf5", "m.model", "h5.keras", "keras.h5"])
def test_files_of_keras_2_are_loaded_by_keras_2(keras_2: Any, tmp_path: Path, name: str) -> None:
    model, path = network(keras_2), tmp_path / name
    written = tmp_path / ("w.keras" if name in ("m.keras", "keras.h5", "m.model") else "w.h5")
    model.save(written)
    written.rename(path)
    assert_computes_as(model, load_float_model(str(path)))


@needs_keras_3
@pytest.mark.parametrize("kind", [".h5", ".keras"])
def test_without_keras_2_the_pip_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"m{kind}"
    monkeypatch.setattr(keras_models, "_has_keras_2", lambda: False)
    if kind == ".h5":
        network(tf.keras).save(path)
        with h5py.File(path, "a") as file:
            config = json.loads(file.attrs["model_config"])
            config["config"]["layers"][1]["config"]["groups"] = 1
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"] = "2.14.0"
    else:
        layer = {"module": "keras.layers", "class_name": "ThresholdedReLU", "config": {}}
        config = {"class_name": "Sequential", "config": {"layers": [layer]}}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("metadata.json", json.dumps({"keras_version": "2.14.0"}))
    message = refusal(path)
    major, minor = tf.__version__.split(".")[:2]
    assert f"{path}: was saved by Keras 2.14.0" in message
    assert message.endswith(f"pip install --no-deps 'tf_keras~={major}.{minor}.0'")


def scaled(keras: Any, registered: bool) -> Any:
    class Scaled(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 3.0

    wrap = keras.utils.register_keras_serializable("mine") if registered else lambda kind: kind
    return wrap(Scaled)


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("kind", [".h5", ".keras"])
def test_custom_layers_get_code_that_works_when_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, registered: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    layer = scaled(tf.keras, registered)
    model = network(tf.keras, layer())
    model.save(f"m{kind}")
    tf.keras.utils.get_custom_objects().clear()
    message = refusal(Path(f"m{kind}"))
    assert "not Keras' own (Scaled); load it in Python and use from_keras_model" in message
    assert_pasted_code_gives(message, model, layer, monkeypatch)


@pytest.mark.parametrize("kind", [".h5", ".keras"])
def test_lambda_layers_are_not_run_but_shown_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    model = network(tf.keras, tf.keras.layers.Lambda(lambda x: x + 1.0, name="plus_one"))
    model.save(f"m{kind}")
    message = refusal(Path(f"m{kind}"))
    assert "Python code in Lambda layers (plus_one); load it in Python if you trust" in message
    assert_pasted_code_gives(message, model, None, monkeypatch)


def assert_pasted_code_gives(
    message: str, model: Any, layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("YOUR_MODULE")
    module.Scaled = layer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "YOUR_MODULE", module)
    exec(message.split("then pass model.tflite: ")[1], {})
    assert_computes_as(model, load_float_model("model.tflite"))


@pytest.mark.parametrize("kind", [".h5", ".keras"])
def test_custom_functions_are_named(tmp_path: Path, kind: str) -> None:
    def doubled(x: Any) -> Any:
        return x * 2.0

    network(tf.keras, tf.keras.layers.Activation(doubled)).save(tmp_path / f"m{kind}")
    assert "not Keras' own (doubled)" in refusal(tmp_path / f"m{kind}")


def test_custom_losses_are_not_needed(tmp_path: Path) -> None:
    def my_loss(truth: Any, found: Any) -> Any:
        return tf.reduce_mean(truth - found)

    model = network(tf.keras)
    model.compile("adam", my_loss)
    for name in ("m.h5", "m.keras"):
        model.save(tmp_path / name)
        assert_computes_as(model, load_float_model(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5"])
def test_files_of_weights_alone(tmp_path: Path, name: str) -> None:
    written = tmp_path / "x.weights.h5"
    network(tf.keras).save_weights(written)
    shutil.move(written, tmp_path / name)
    message = refusal(tmp_path / name)
    assert "holds weights only and no network" in message
    assert f"model.load_weights('{tmp_path / name}')" in message


def test_weights_alone_of_keras_2(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs.update(keras_version="2.3.1", backend="tensorflow", layer_names=["conv"])
    assert "holds weights only" in refusal(tmp_path / "w.h5")


def test_hdf5_files_of_something_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = np.zeros(3)
    assert "without a Keras model in it" in refusal(tmp_path / "data.h5")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"keras_version": "2.1.6", "backend": "theano"}, "turned by 180 degrees"),
        ({"keras_version": "1.2.2"}, "was saved by Keras 1.2.2"),
    ],
)
def test_files_that_are_too_old(tmp_path: Path, attributes: dict[str, str], expected: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs.update({"model_config": "{}", **attributes})
    assert expected in refusal(tmp_path / "m.h5")


@needs_keras_3
def test_files_of_a_newer_keras_name_its_version(tmp_path: Path) -> None:
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2, "new": 1}}
    config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.99.0"}))
    assert "pip install 'keras>=3.99.0'" in refusal(tmp_path / "m.keras")


@needs_keras_3
def test_operations_that_hdf5_does_not_bring_back(tmp_path: Path) -> None:
    image = tf.keras.layers.Input((4,))
    model = tf.keras.Model(image, tf.keras.layers.Dense(2)(tf.keras.ops.relu(image)))
    model.save(tmp_path / "m.h5")
    assert "(Relu), which Keras 3 writes into HDF5 files" in refusal(tmp_path / "m.h5")
    model.save(tmp_path / "m.keras")
    load_float_model(str(tmp_path / "m.keras"))


def test_refusals_that_the_file_decides_come_before_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network(tf.keras, tf.keras.layers.Lambda(lambda x: x)).save(tmp_path / "m.keras")

    def never(*arguments: object) -> Any:
        raise AssertionError("TensorFlow is asked for")

    monkeypatch.setattr(keras_models, "import_tensorflow", never)
    assert "Lambda" in refusal(tmp_path / "m.keras")
